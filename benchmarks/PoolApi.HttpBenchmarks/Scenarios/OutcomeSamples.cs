using System.Globalization;
using PoolApi.HttpBenchmarks.Reporting;

namespace PoolApi.HttpBenchmarks.Scenarios;

/// <summary>The outcomes of all contenders in each round.</summary>
internal sealed class OutcomeSamples
{
    public Samples Served { get; } = new();

    public Samples Served99 { get; } = new();

    public Samples Rejected99 { get; } = new();

    public Samples Health50 { get; } = new();

    public Samples Health99 { get; } = new();

    public void Add(string name, Outcome outcome)
    {
        Served.Add(name, outcome.Served);
        if (outcome.Served99 is { } served) Served99.Add(name, served);
        if (outcome.Rejected99 is { } rejected) Rejected99.Add(name, rejected);
        Health50.Add(name, outcome.Health50);
        Health99.Add(name, outcome.Health99);
    }

    /// <param name="title">What was done.</param>
    /// <param name="more">Further columns: their headers and the cell of a contender.</param>
    public void Print(string title, params IReadOnlyList<(string Header, Func<string, string> Cell)> more)
    {
        var table = new TextTable(
            title,
            [
                "", "served/s", "lowest", "highest", "p99 ms", "rejected p99 ms", "health p50 ms", "health p99 ms", "highest ms",
                .. more.Select(column => column.Header),
            ]);
        foreach (string name in Served.Names)
        {
            table.Add(
            [
                name, Figures.Rate(Served.Median(name)), Figures.Rate(Served.Lowest(name)), Figures.Rate(Served.Highest(name)),
                Figures.Time(Served99, name), Figures.Time(Rejected99, name), Figures.Time(Health50, name), Figures.Time(Health99, name),
                Health99.Highest(name).ToString("N1", CultureInfo.InvariantCulture),
                .. more.Select(column => column.Cell(name)),
            ]);
        }
        table.Print();
    }

    public void AddTo(Overview overview, string scenario, bool withRejected)
    {
        foreach (string name in Served.Names)
        {
            overview.Add(name, $"{scenario}: served/s", Figures.Rate(Served.Median(name)));
            if (withRejected) overview.Add(name, "rejected p99 ms", Figures.Time(Rejected99, name), scenario);
            overview.Add(name, "health p50 / p99 ms", $"{Figures.Time(Health50, name)} / {Figures.Time(Health99, name)}", scenario);
        }
    }
}
