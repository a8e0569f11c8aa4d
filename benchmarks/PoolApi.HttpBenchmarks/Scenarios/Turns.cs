using PoolApi.HttpBenchmarks.Contenders;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>
/// Rounds in which each contender is measured once, so that changes of the machine (its clock, its neighbours) affect all
/// of them.
/// </summary>
internal static class Turns
{
    public static void Take(int rounds, IReadOnlyList<ContenderKind> kinds, Action<ContenderKind> measure)
    {
        for (int round = 0; round < rounds; round++)
        {
            // Every other round in reverse, so that no contender always follows the same one.
            foreach (ContenderKind kind in round % 2 == 0 ? kinds : kinds.Reverse()) measure(kind);
        }
    }
}
