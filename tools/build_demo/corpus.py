"""Step 1. Text for the training speech: everyday sentences that share nothing with the stories but words.

Three sources, mixed sentence by sentence into passages of about 30 s of speech:
    grammar    a small grammar of narrative sentences; three words in four come from the stories' vocabulary, the
               rest are frequent words of WordNet
    examples   example sentences of WordNet 3 (Debian package wordnet-base), those of common words first
    glosses    short definitions of WordNet, as plain statements
A sentence that has six words in a row in common with any story is dropped, and the result is checked again.

    python corpus.py --cache CACHE
writes CACHE/corpus.jsonl, one passage a line: {"part": "student" | "listener", "sentences": [...]}
"""

import argparse
import json
import random
import re
from collections import Counter
from pathlib import Path

TEXTS = Path(__file__).parents[2] / "src/brainwavlm/assets/demo/texts"
WORDNET = Path("/usr/share/wordnet")
HOURS = {"student": 5.0, "listener": 3.0}
WORDS_PER_SECOND = 2.7
SHARED = 6

_IRREGULAR = """
be:was go:went come:came see:saw take:took give:gave make:made know:knew think:thought find:found
tell:told say:said get:got hold:held keep:kept leave:left bring:brought buy:bought sell:sold send:sent
spend:spent build:built lose:lost meet:met pay:paid read:read run:ran sit:sat stand:stood speak:spoke
write:wrote ride:rode rise:rose drive:drove break:broke choose:chose wear:wore tear:tore sing:sang
ring:rang drink:drank swim:swam begin:began fall:fell feel:felt hear:heard sleep:slept teach:taught
catch:caught fight:fought throw:threw grow:grew blow:blew fly:flew draw:drew eat:ate forget:forgot
hide:hid lie:lay lay:laid lead:led light:lit let:let cut:cut put:put set:set shut:shut hit:hit win:won
wake:woke shake:shook steal:stole sweep:swept bend:bent feed:fed understand:understood become:became
dig:dug hang:hung mean:meant
"""
IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR.split())
GRAMMAR = {
    "S": (
        "{NP} {T} {NP} {PP}|{NP} {T} {NP}|{NP} {I} {PP}|{WHEN}, {NP} {T} {NP}|{WHEN}, {NP} {I} {PP}|"
        "{NP} {T} {NP} and {T} {NP}|{NP} was {A}|{NP} was {A} and {A}|when {NP} {T} {NP}, {NP} {I}|"
        "there was {a} {N} {PP}|there were {NUM} {NS} {PP}|I {T} {NP} because {NP} was {A}|"
        "we {T} {NP} until {NP} {I}|she asked if {NP} could {V} {NP}|"
        "he said that {NP} had to {V} {NP}|nobody {T} {NP} {PP}|everybody {T} {NP}|"
        "{NP} wanted to {V} {NP}|{NP} began to {V} {PP}|{NP} did not {V} {NP}|"
        "I could not {V} {NP} {PP}|it was {a} {A} {N}|my {KIN} {T} {NP} {PP}|my {KIN} never {T} {NP}|"
        "then {NP} {T} {NP}|{NP} had {NUM} {NS} and {a} {N}|they {T} {NP} with {NP}|do you {V} {NP}|"
        "we will {V} {NP} {WHEN}|you can {V} {NP} {PP}|{NP} {R} {T} {NP}|{NP} {I} {R}|"
        "after {NP} {I}, {NP} {T} {NP}|before {NP} {T} {NP}, {PRO} {I} {PP}|"
        "if {NP} is {A}, {PRO} {V} {NP}|{NP} is {A} than {NP}|the {N} of {NP} was {A}|where is {NP}|"
        "{PRO} {T} {NP} and {NP} {T} {PRO2}|what {NP} {T} was {NP}|{N} and {N} and {N}"
    ),
    "NP": (
        "the {N}|the {N}|the {A} {N}|{a} {N}|{a} {A} {N}|the {NS}|{NUM} {NS}|my {KIN}|his {N}|"
        "her {N}|our {NS}|their {N}|{PRO}|the {N} of the {N}|{N} and {N}|every {N}|no {N}|"
        "the {N} {PP}|{NAME}"
    ),
    "PP": (
        "in the {N}|on the {N}|beside the {N}|under the {A} {N}|behind {a} {N}|with {a} {N}|"
        "over the {NS}|from the {N}|to the {N}|through the {N}|without {a} {N}|between the {NS}|"
        "near the {N}|for the {N}"
    ),
    "WHEN": (
        "in the morning|in the evening|one {A} night|that summer|the next day|every winter|"
        "after an hour|at last|on the first day|at {NUM} in the afternoon|last year|at noon|"
        "for a long time|on Sunday"
    ),
    "KIN": (
        "father|mother|brother|sister|grandmother|uncle|friend|teacher|neighbour|son|daughter|aunt|"
        "wife|husband"
    ),
    "NUM": "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|a hundred|some|many|a few",
    "NAME": "Anna|Walter|Marta|Tom|Clara",
    "PRO": "he|she|they|we|I|you",
    "PRO2": "him|her|them|us|me|you",
}


def words_of(text):
    return re.findall(r"[a-z']+", text.lower())


def grams(words, n=SHARED):
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def wordnet_counts():
    """How often WordNet's tagged texts use each (lemma, part of speech); 1 to 5 stand for noun, verb, adjective,
    adverb, adjective.
    """
    counts = Counter()
    for line in (WORDNET / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, kind = key.split("%")
        if lemma.isalpha() and lemma.islower():
            counts[lemma, "nvara"[int(kind[0]) - 1]] += int(count)
    return counts


def verb_frames():
    """Verbs that take a thing (WordNet frames 8 and 11) and verbs that stand alone (1, 2, 4, 22)."""
    takes, alone = set(), set()
    for line in (WORDNET / "data.verb").read_text().splitlines()[29:]:
        fields = line.split(" | ")[0].split()
        n = int(fields[3], 16)
        lemmas = [lemma for lemma in fields[4 : 4 + 2 * n : 2] if lemma.isalpha() and lemma.islower()]
        rest = " ".join(fields)
        frames = {int(frame) for frame, which in re.findall(r"\+ (\d\d) ([0-9a-f]{2})(?= \+|$)", rest)}
        if frames & {8, 11}:
            takes.update(lemmas)
        if frames & {1, 2, 4, 22}:
            alone.update(lemmas)
    return takes, alone


def past(verb):
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return verb + verb[-1] + "ed" if re.fullmatch(r"[^aeiou]*[aeiou][bdgmnpt]", verb) else verb + "ed"


def plural(noun):
    special = {
        "man": "men",
        "woman": "women",
        "child": "children",
        "foot": "feet",
        "tooth": "teeth",
        "leaf": "leaves",
        "shelf": "shelves",
        "knife": "knives",
        "wife": "wives",
        "life": "lives",
    }
    if noun in special:
        return special[noun]
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "es" if re.search(r"(s|x|z|ch|sh)$", noun) else noun + "s"


def vocabulary(story_words):
    """Word classes of the grammar, each as (words of the stories, frequent words of WordNet)."""
    counts = wordnet_counts()
    takes, alone = verb_frames()
    nouns = {line.split()[0] for line in (WORDNET / "index.noun").read_text().splitlines()[29:]}
    exceptions = {}
    for kind, name in (("n", "noun"), ("v", "verb")):
        for line in (WORDNET / f"{name}.exc").read_text().splitlines():
            form, *lemmas = line.split()
            exceptions.setdefault(form, []).extend((lemma, kind) for lemma in lemmas)

    def lemmas_of(word):
        found = {(word, kind) for kind in "nvar" if counts[word, kind]} | set(exceptions.get(word, []))
        for suffix, ending, kind in (
            ("s", "", "n"),
            ("es", "", "n"),
            ("ies", "y", "n"),
            ("s", "", "v"),
            ("ed", "", "v"),
            ("ed", "e", "v"),
            ("ing", "", "v"),
            ("ing", "e", "v"),
        ):
            stem = word[: -len(suffix)] + ending
            if word.endswith(suffix) and counts[stem, kind]:
                found.add((stem, kind))
        if not found and word in nouns:
            found = {(word, "n")}
        best = max((counts[pair] for pair in found), default=0)
        return {pair for pair in found if counts[pair] >= 0.3 * best}

    def classes(pairs):
        made = {name: set() for name in ("N", "NS", "T", "I", "V", "A", "R")}
        for lemma, kind in pairs:
            if len(lemma) < 2 or lemma in ("be", "have", "do"):
                continue
            if kind == "n":
                made["N"].add(lemma), made["NS"].add(plural(lemma))
            elif kind == "v":
                made["V"].add(lemma)
                if lemma in takes:
                    made["T"].add(past(lemma))
                if lemma in alone:
                    made["I"].add(past(lemma))
            else:
                made[{"a": "A", "r": "R"}[kind]].add(lemma)
        return {name: sorted(words) for name, words in made.items()}

    own = classes({pair for word in story_words for pair in lemmas_of(word)})
    frequent = []
    for kind, n in (("n", 700), ("v", 350), ("a", 250), ("r", 60)):
        frequent += [
            pair
            for pair, _ in Counter({pair: c for pair, c in counts.items() if pair[1] == kind}).most_common(n)
        ]
    return own, classes(frequent)


def generated(own, frequent, random_state):
    """One sentence of the grammar: slots are filled until none is left."""
    sentence = "{S}"
    while match := re.search(r"\{(\w+)\}", sentence):
        slot = match[1]
        if slot == "a":
            following = re.match(r" ?(\{\w+\}|\w+)", sentence[match.end() :])[1]
            if following.startswith("{"):
                # The article waits for its noun.
                word = random_state.choice(
                    (own if random_state.random() < 0.75 else frequent)[following[1:-1]]
                )
                sentence = (
                    sentence[: match.start()]
                    + ("an " if word[0] in "aeiou" else "a ")
                    + word
                    + sentence[match.end() :].replace(" " + following, "", 1)
                )
                continue
        words = (
            GRAMMAR[slot].split("|")
            if slot in GRAMMAR
            else (own if random_state.random() < 0.75 else frequent)[slot]
        )
        sentence = sentence[: match.start()] + random_state.choice(words) + sentence[match.end() :]
    return sentence[0].upper() + sentence[1:] + "."


def wordnet_sentences(common):
    """Example sentences and short glosses, those with the most common words first."""
    examples, glosses = set(), set()
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (WORDNET / f"data.{kind}").read_text().splitlines()[29:]:
            gloss = line.split(" | ", 1)[-1]
            for example in re.findall(r'"([^"]+)"', gloss):
                if re.fullmatch(r"[A-Za-z ,.'!?-]+", example) and 4 <= len(example.split()) <= 16:
                    examples.add(example[0].upper() + example[1:].rstrip(" .,!?-") + ".")
            definition = gloss.split(";")[0].strip()
            if re.fullmatch(r"[a-z ,']+", definition) and 5 <= len(definition.split()) <= 12:
                glosses.add(definition[0].upper() + definition[1:].rstrip(" ,") + ".")

    def commonness(sentence):
        words = words_of(sentence)
        return -sum(word in common for word in words) / len(words), sentence

    return sorted(examples, key=commonness), sorted(glosses, key=commonness)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cache", type=Path, required=True)
    cache = parser.parse_args().cache
    random_state = random.Random(20250211)
    stories = [path.read_text() for path in sorted(TEXTS.glob("*.txt"))]
    story_words = {word for story in stories for word in words_of(story)}
    forbidden = set().union(*(grams(words_of(story)) for story in stories))
    told = {" ".join(words_of(sentence)) for story in stories for sentence in re.split(r"[.?!]\s+", story)}
    own, frequent = vocabulary(story_words)
    common = story_words | {word for words in frequent.values() for word in words}
    examples, glosses = wordnet_sentences(common)
    pools = {"examples": examples[:16000], "glosses": glosses[:5000]}
    for pool in pools.values():
        random_state.shuffle(pool)
    used, passages = set(), []
    for part, hours in HOURS.items():
        budget = hours * 3600 * WORDS_PER_SECOND
        while budget > 0:
            sentences, length = [], 0
            while length < 30 * WORDS_PER_SECOND:
                draw = random_state.random()
                name = "grammar" if draw < 0.55 else "examples" if draw < 0.88 else "glosses"
                sentence = pools[name].pop() if pools.get(name) else generated(own, frequent, random_state)
                words = words_of(sentence)
                plain = " ".join(words)
                if plain in used or plain in told or grams(words) & forbidden or not 3 <= len(words) <= 22:
                    continue
                used.add(plain), sentences.append(sentence)
                length += len(words)
            passages.append({"part": part, "sentences": sentences})
            budget -= length
    assert not used & told
    assert not any(grams(plain.split()) & forbidden for plain in used)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "corpus.jsonl").write_text("".join(json.dumps(passage) + "\n" for passage in passages))
    spoken = Counter(word for plain in used for word in plain.split())
    missing = sorted(word for word in story_words if not spoken[word])
    print(
        f"{len(used)} sentences in {len(passages)} passages; {len(spoken)} different words; "
        f"no sentence and no {SHARED} words in a row shared with {len(stories)} stories"
    )
    print(f"story words never spoken in training: {len(missing)} of {len(story_words)}: {' '.join(missing)}")


if __name__ == "__main__":
    main()
