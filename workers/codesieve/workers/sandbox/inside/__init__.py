"""What runs inside a cell: standard library only, for any Python from 3.8 on. Importing any of it does nothing.

agent     first process, root: forks, limits, kills and cleans; never sees a program, a test or an output
judge      a user of its own, kept warm: speaks with the host, runs the tests, calls the program
candidate  a user of its own, one for each program: the program
"""
