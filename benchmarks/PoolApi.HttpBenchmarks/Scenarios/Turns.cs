using PoolApi.HttpBenchmarks.Contenders;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>
/// Rounds in which each contender is measured once: what the machine does in the meantime (its clock, its neighbours) then
/// falls on all of them.
/// </summary>
internal static class Turns
{
    public static void Take(int rounds, IReadOnlyList<ContenderKind> kinds, Action<ContenderKind> measure)
    {
        for (int round = 0; round < rounds; round++)
        {
            // Every other round backwards, so that nobody always follows the same neighbour.
            foreach (ContenderKind kind in round % 2 == 0 ? kinds : kinds.Reverse()) measure(kind);
        }
    }
}
