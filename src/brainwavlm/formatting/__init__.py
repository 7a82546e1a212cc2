"""Numbers and small HTML, for people.

numbers  signed numbers, intervals, p values
html     tables and badges for notebooks, all text escaped
"""
