# what: an event loop inside a plain function
# form: function
# expect: PASSED
import asyncio


async def square(x):
    await asyncio.sleep(0)
    return x * x


async def squares(xs):
    return await asyncio.gather(*(square(x) for x in sorted(xs) if xs.count(x) == 1))


def solve(xs):
    return list(asyncio.run(squares(xs)))
