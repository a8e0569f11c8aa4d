namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>The bars of all measurements, kept for the table at the end.</summary>
internal sealed class Report
{
    private readonly List<Bar> _bars = [];

    public bool AllPassed => _bars.TrueForAll(bar => bar.Passed);

    public void Add(Bar bar) => _bars.Add(bar);

    public void PrintBars()
    {
        if (_bars.Count == 0) return;
        var table = new TextTable("Bars", "measurement", "bar", "measured", "");
        foreach (Bar bar in _bars) table.Add(bar.Measurement, bar.Demand, bar.Value, bar.Passed ? "pass" : "MISS");
        table.Print();
    }
}
