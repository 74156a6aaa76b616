# what: tabs, form feeds, semicolons, line continuations and no newline at the end
# form: function
# expect: PASSED
def solve(xs):
	answer = []; seen = \
	    sorted(xs)

	for x in seen:
		if xs.count(x) == 1: answer.append(x * x)
	return answer