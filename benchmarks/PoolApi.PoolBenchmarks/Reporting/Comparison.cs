using System.Globalization;
using PoolApi.PoolBenchmarks.Peers;

namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>Compares a figure of this pool with that of its peers.</summary>
/// <param name="samples">The figure.</param>
/// <param name="moreIsBetter">Whether it is a throughput; otherwise it is a time.</param>
/// <param name="rivals">The peers, the best of which is the reference.</param>
internal sealed class Comparison(Samples samples, bool moreIsBetter, IEnumerable<PeerKind> rivals)
{
    private readonly string? _best = (moreIsBetter
        ? rivals.Where(r => samples.Has(r.Name)).MaxBy(r => samples.Median(r.Name))
        : rivals.Where(r => samples.Has(r.Name)).MinBy(r => samples.Median(r.Name)))?.Name;

    /// <summary>A contender's median as a multiple of Task.Run's; <see langword="null"/> where that was not measured.</summary>
    public double? ToTaskRun(string name) => To(PeerCatalogue.TaskRun.Name, name);

    /// <summary>A contender's median as a multiple of the best peer's; <see langword="null"/> where no peer was measured.</summary>
    public double? ToBest(string name) => _best is null ? null : To(_best, name);

    /// <summary>A contender's median as a multiple of another's; <see langword="null"/> where that was not measured.</summary>
    public double? To(string reference, string name) =>
        samples.Has(reference) ? samples.Median(name) / samples.Median(reference) : null;

    public void Print(string title, string unit, string format, string bestName = "best peer")
    {
        string direction = moreIsBetter ? "more is better" : "less is better";
        var table = new TextTable($"{title} ({unit}, {direction})", "", "median", "lowest", "highest", "× Task.Run", $"× {bestName}");
        foreach (string name in samples.Names)
        {
            table.Add(
                name, Figure(samples.Median(name)), Figure(samples.Lowest(name)), Figure(samples.Highest(name)),
                Ratio(ToTaskRun(name)), Ratio(ToBest(name)));
        }
        table.Print();

        string Figure(double value) => value.ToString(format, CultureInfo.InvariantCulture);
    }

    private static string Ratio(double? ratio) => ratio?.ToString("F2", CultureInfo.InvariantCulture) ?? "–";
}
