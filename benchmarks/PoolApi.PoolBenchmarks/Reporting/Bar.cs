using System.Globalization;

namespace PoolApi.PoolBenchmarks.Reporting;

/// <summary>The value that a measurement must reach, and the value that it reached.</summary>
/// <param name="Measurement">What was measured.</param>
/// <param name="Demand">The bar, as text.</param>
/// <param name="Value">The measured value, as text.</param>
/// <param name="Passed">Whether that is enough.</param>
internal sealed record Bar(string Measurement, string Demand, string Value, bool Passed)
{
    public static Bar AtLeast(string measurement, double least, string reference, double value) =>
        new(measurement, $"≥ {Ratio(least)} × {reference}", Ratio(value), value >= least);

    public static Bar AtMost(string measurement, double most, string reference, double value) =>
        new(measurement, $"≤ {Ratio(most)} × {reference}", Ratio(value), value <= most);

    private static string Ratio(double value) => value.ToString("F2", CultureInfo.InvariantCulture);
}
