"""Integer linear algebra on joint-action tables, shared by the modules of the plain engine.

A table over joint actions is a flat list, first agent most significant.  All sums are exact;
multiplying by a policy raises the scale by 2^BITS.
"""

from operator import mul

from certify.checker.numbers.fixed_point import ONE


def dot(x, y):
    """The sum of products, exact."""
    return sum(map(mul, x, y))


def contract(columns, policy):
    """Every column averaged over its most significant agent with the weights `policy`.

    >>> contract([[1, 2, 3, 4]], [10, 1])
    [[13, 24]]
    """
    size = len(columns[0]) // len(policy) if columns else 1
    if size == 1:
        return [[dot(policy, column)] for column in columns]
    return [[dot(policy, column[j::size]) for j in range(size)] for column in columns]


def contract_all(columns, policies):
    """Every column averaged over all its agents: a list of integers."""
    for policy in policies:
        columns = contract(columns, policy)
    return [column[0] for column in columns]


def front(table, sizes, agents):
    """The table with the axes of `agents` moved to the front, in that order.

    >>> front([0, 1, 2, 3, 4, 5], (2, 3), (1,))
    [0, 3, 1, 4, 2, 5]
    """
    order = list(agents) + [i for i in range(len(sizes)) if i not in agents]
    strides = [1] * len(sizes)
    for i in range(len(sizes) - 2, -1, -1):
        strides[i] = strides[i + 1] * sizes[i + 1]
    offsets = [0]
    for i in order:
        offsets = [o + strides[i] * a for o in offsets for a in range(sizes[i])]
    return [table[o] for o in offsets]


def greedy(lower, upper, coefficients):
    """max of coefficients · q over lower <= q <= upper, sum q = 1 (ONE): fill up in their order."""
    rest = ONE - sum(lower)
    total = dot(lower, coefficients)
    for c, low, high in sorted(zip(coefficients, lower, upper), reverse=True):
        if rest <= 0:
            break
        take = min(rest, high - low)
        total += take * c
        rest -= take
    return total


def multilinear_max(table, blocks):
    """max of sum_a prod_i q_i(a_i) table(a) over q_i in the boxes of `blocks`; scale rises by 2^BITS
    per block.  Vertices of all but the last block, greedy filling of the last."""
    if not blocks:
        return table[0]
    if len(blocks) == 1:
        return greedy(blocks[0].lower, blocks[0].upper, table)
    return max(multilinear_max(contract([table], q)[0], blocks[1:]) for q in blocks[0].vertices)
