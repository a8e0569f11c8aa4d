using System.Diagnostics;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>
/// Measures in rounds, each contender once per round, so that changes of the machine (its clock, its neighbours) affect all
/// of them. Each contender is warmed up before.
/// </summary>
internal static class Rounds
{
    // Code becomes fast in steps: compiled at once, compiled again with counters in it, compiled again by the counts.
    // A step starts when a method has been called often enough and no new code has been compiled for 100 ms. It uses a
    // processor while it lasts. A warm-up of one measurement would end before the second step, and the rounds would
    // measure the compiler, which changed the results several times over.
    private const int CompilerSteps = 3;
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(300), CompilerPause = TimeSpan.FromMilliseconds(150);

    /// <returns>For each figure that a contender yields, the samples of all contenders.</returns>
    public static Samples[] Run(int rounds, IReadOnlyList<Contender> contenders)
    {
        foreach (Contender contender in contenders) WarmUpBy(contender);
        var all = new List<(string Name, double[] Figures)>();
        for (int round = 0; round < rounds; round++)
        {
            // Every other round in reverse, so that no contender always follows the same one.
            foreach (Contender contender in round % 2 == 0 ? contenders : contenders.Reverse())
                all.Add((contender.Name, Measure(contender)));
        }

        var samples = new Samples[all[0].Figures.Length];
        for (int figure = 0; figure < samples.Length; figure++)
        {
            samples[figure] = new Samples();
            foreach ((string name, double[] figures) in all) samples[figure].Add(name, figures[figure]);
        }
        return samples;
    }

    private static void WarmUpBy(Contender contender)
    {
        for (int step = 0; step < CompilerSteps; step++)
        {
            long startedAt = Stopwatch.GetTimestamp();
            do Measure(contender);
            while (Stopwatch.GetElapsedTime(startedAt) < WarmUp);
            Thread.Sleep(CompilerPause);
        }
    }

    private static double[] Measure(Contender contender)
    {
        // No contender collects the garbage of the one before.
        Heap.Settle();
        return contender.Measure();
    }
}
