using System.Globalization;

namespace PoolApi.JobBenchmarks.Scenarios;

/// <summary>
/// Measures two contenders in turn, in rounds, every other one in reverse, so that changes of the machine affect both. They are
/// compared by the median of the rounds' ratios, since both measurements of a round meet the same state of the machine.
/// </summary>
/// <param name="scenario">Its name, for the progress lines.</param>
/// <param name="one">The contender that is compared.</param>
/// <param name="other">The contender that it is compared with.</param>
internal sealed class Duel(string scenario, string one, string other)
{
    private readonly Samples _ones = new(), _others = new(), _ratios = new();

    public async Task RunAsync(int rounds, Func<Task<Figure[]>> measureOne, Func<Task<Figure[]>> measureOther)
    {
        for (int round = 0; round < rounds; round++)
        {
            Figure[] ones, others;
            if (round % 2 == 0)
            {
                ones = await MeasureAsync(one, measureOne);
                others = await MeasureAsync(other, measureOther);
            }
            else
            {
                others = await MeasureAsync(other, measureOther);
                ones = await MeasureAsync(one, measureOne);
            }
            foreach ((Figure mine, Figure its) in ones.Zip(others)) Add(mine.Name, mine.Value, its.Value);
        }
    }

    /// <summary>The median of the rounds' ratios of a figure.</summary>
    public double Ratio(string figure) => _ratios.Median(figure);

    public void Print(string title)
    {
        var table = new TextTable(title, "", one, other, "ratio", "lowest", "highest");
        foreach (string figure in _ratios.Names)
        {
            table.Add(
                figure, Text(_ones.Median(figure)), Text(_others.Median(figure)),
                Ratio(_ratios.Median(figure)), Ratio(_ratios.Lowest(figure)), Ratio(_ratios.Highest(figure)));
        }
        table.Print();

        static string Ratio(double value) => value.ToString("F2", CultureInfo.InvariantCulture);
    }

    private static string Text(double value) => value.ToString(value < 100 ? "N2" : "N0", CultureInfo.InvariantCulture);

    private void Add(string figure, double mine, double its)
    {
        _ones.Add(figure, mine);
        _others.Add(figure, its);
        _ratios.Add(figure, mine / its);
    }

    private async Task<Figure[]> MeasureAsync(string name, Func<Task<Figure[]>> measure)
    {
        // No contender collects the garbage of the one before.
        Heap.Settle();
        Figure[] figures = await measure();
        Console.Error.WriteLine($"  {scenario}, {name}: {string.Join("; ", figures.Select(f => $"{f.Name}: {Text(f.Value)}"))}");
        return figures;
    }
}
