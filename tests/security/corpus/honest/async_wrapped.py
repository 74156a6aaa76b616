# what: an async function under a decorator that runs it
# form: function
# expect: PASSED
import asyncio
import functools


def synchronous(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(function(*arguments))
        finally:
            loop.close()

    return wrapper


@synchronous
async def solve(xs):
    return [x * x async for x in once(xs)]


async def once(xs):
    for x in sorted(xs):
        if xs.count(x) == 1:
            yield x
