namespace PoolApi.HttpBenchmarks.Reporting;

/// <summary>A table of samples: a row for each name, with its median, lowest and highest value.</summary>
internal static class SpreadTable
{
    public static void Print(string title, Samples samples)
    {
        var table = new TextTable(title, "", "median", "lowest", "highest");
        foreach (string name in samples.Names)
            table.Add(name, Figures.Ratio(samples.Median(name)), Figures.Ratio(samples.Lowest(name)), Figures.Ratio(samples.Highest(name)));
        table.Print();
    }
}
