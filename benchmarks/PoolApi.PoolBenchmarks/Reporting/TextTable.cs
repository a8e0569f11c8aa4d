namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>A table on the standard output. The first column is aligned to the left, the others, mostly figures, to the right.</summary>
internal sealed class TextTable(string title, params string[] header)
{
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells) => _rows.Add(cells);

    public void Print()
    {
        int[] widths = [.. header.Select((_, column) => _rows.Max(row => row[column].Length))];
        Console.WriteLine();
        Console.WriteLine(title);
        foreach (string[] row in _rows)
        {
            IEnumerable<string> cells = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]));
            Console.WriteLine("  " + string.Join("  ", cells).TrimEnd());
        }
    }
}
