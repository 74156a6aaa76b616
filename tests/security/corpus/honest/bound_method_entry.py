# what: a class's own method as the entry point, in LeetCode's manner
# form: function
# expect: PASSED
class Solution:
    def solve(self, xs):
        return [x * x for x in sorted(xs) if xs.count(x) == 1]


solve = Solution().solve
