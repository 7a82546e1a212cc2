"""Changes of a data set's folder, as functions of the folder: what users and their disks do to files."""

import shutil

import h5py
import yaml


def gone(*names):
    def change(folder):
        for path in (folder / name for name in names):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def written(name, content):
    content = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(content)


def cut(name, end):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:end])


def edited(name, old, new):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def put(name, array, value):
    """An array of an HDF5 file replaced, or removed by None; "@name" is an attribute of the file, "data@name" of data."""

    def change(folder):
        with h5py.File(folder / name, "a") as file:
            place, _, attribute = array.partition("@")
            holder = file[place or "/"].attrs if attribute else file
            holder.pop(attribute or place, None)
            if value is not None:
                holder[attribute or place] = value

    return change


def within(name, array, where, value):
    def change(folder):
        with h5py.File(folder / name, "a") as file:
            file[array][where] = value

    return change


def described(change):
    def write(folder):
        content = yaml.safe_load((folder / "dataset.yaml").read_text())
        change(content)
        (folder / "dataset.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    return write
