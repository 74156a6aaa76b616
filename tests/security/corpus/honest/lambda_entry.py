# what: a lambda as the entry point
# form: function
# expect: PASSED
solve = lambda xs: (lambda once: [x * x for x in sorted(once)])([x for x in xs if xs.count(x) == 1])
