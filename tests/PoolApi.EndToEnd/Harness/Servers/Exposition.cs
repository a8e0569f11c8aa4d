using System.Globalization;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Harness.Servers;

/// <summary>A scrape in Prometheus' text format, parsed just far enough to add up samples.</summary>
internal sealed partial class Exposition
{
    private readonly List<(string Name, string Labels, double Value)> _samples = [];

    /// <summary>The names of all samples.</summary>
    public IEnumerable<string> Names => _samples.Select(sample => sample.Name).Distinct();

    /// <summary>Reads the text.</summary>
    public static Exposition Parse(string text)
    {
        var read = new Exposition();
        foreach (string line in text.Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            var match = Sample().Match(line);
            Assert.True(match.Success, $"not a sample: {line}");
            string value = match.Groups["value"].Value;
            read._samples.Add((match.Groups["name"].Value, match.Groups["labels"].Value, value switch
            {
                "+Inf" => double.PositiveInfinity,
                "-Inf" => double.NegativeInfinity,
                _ => double.Parse(value, CultureInfo.InvariantCulture),
            }));
        }

        return read;
    }

    /// <summary>The sum over all series of a name whose labels contain all of these, each as `name="value"`.</summary>
    public double Sum(string name, params string[] labels) =>
        _samples.Where(sample => sample.Name == name && labels.All(label => sample.Labels.Contains(label, StringComparison.Ordinal)))
            .Sum(sample => sample.Value);

    /// <summary>How many series a name has.</summary>
    public int Count(string name, params string[] labels) =>
        _samples.Count(sample => sample.Name == name && labels.All(label => sample.Labels.Contains(label, StringComparison.Ordinal)));

    /// <inheritdoc />
    public override string ToString() =>
        string.Join('\n', _samples
            .Where(s => s.Name.StartsWith("poolapi_", StringComparison.Ordinal) && !s.Name.EndsWith("_bucket", StringComparison.Ordinal))
            .Select(s => $"{s.Name}{{{s.Labels}}} {s.Value}"));

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?<labels>.*)\})? (?<value>\S+)( \d+)?$")]
    private static partial Regex Sample();
}
