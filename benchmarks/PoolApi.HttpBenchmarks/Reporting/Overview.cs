namespace PoolApi.HttpBenchmarks.Reporting;

/// <summary>The figures of all scenarios in one Markdown table: a row for each contender.</summary>
internal sealed class Overview
{
    private readonly List<(string Header, string Scenario)> _columns = [];
    private readonly List<string> _rows = [];
    private readonly Dictionary<(string Row, (string Header, string Scenario) Column), string> _cells = [];

    /// <param name="row">The contender.</param>
    /// <param name="header">The header of the column.</param>
    /// <param name="text">The figure.</param>
    /// <param name="scenario">Distinguishes columns with the same header.</param>
    public void Add(string row, string header, string text, string scenario = "")
    {
        if (!_columns.Contains((header, scenario))) _columns.Add((header, scenario));
        if (!_rows.Contains(row)) _rows.Add(row);
        _cells[(row, (header, scenario))] = text;
    }

    public void Print()
    {
        if (_rows.Count == 0) return;
        Console.WriteLine();
        Line("", _columns.Select(column => column.Header));
        Console.WriteLine($"|---{string.Concat(_columns.Select(_ => "|---:"))}|");
        foreach (string row in _rows) Line(row, _columns.Select(column => _cells.GetValueOrDefault((row, column), Figures.None)));

        static void Line(string first, IEnumerable<string> others) => Console.WriteLine($"| {first} | {string.Join(" | ", others)} |");
    }
}
