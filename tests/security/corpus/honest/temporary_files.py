# what: writes and reads temporary files, a database and a pickle
# form: function
# expect: PASSED
import os
import pickle
import sqlite3
import tempfile


def solve(xs):
    with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "xs"), "w+b") as file:
        pickle.dump(xs, file)
        file.seek(0)
        xs = pickle.load(file)
    data = sqlite3.connect("numbers.db")
    data.execute("drop table if exists numbers")
    data.execute("create table numbers (x integer)")
    data.executemany("insert into numbers values (?)", [(x,) for x in xs])
    found = data.execute("select x * x from numbers group by x having count(*) = 1 order by x").fetchall()
    data.close()
    return [square for (square,) in found]
