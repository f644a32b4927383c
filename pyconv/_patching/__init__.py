"""How others' names come to pyconv's functions for a while; `pyconv.patching` puts it together.

`acceptance` says which calls ours take, `stand_ins` has the functions that stand under the others'
names, `bindings` walks through the modules, `ledger` says which function ran.
"""
