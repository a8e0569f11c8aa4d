using System.Globalization;

namespace PoolApi.HttpBenchmarks.Reporting;

/// <summary>How figures are written.</summary>
internal static class Figures
{
    public const string None = "–";

    public static string Rate(double value) => value.ToString("N1", CultureInfo.InvariantCulture);

    public static string Ratio(double? value) => value?.ToString("F2", CultureInfo.InvariantCulture) ?? None;

    /// <summary>The median in milliseconds.</summary>
    public static string Time(Samples samples, string name) => samples.Has(name) ? Time(samples.Median(name)) : None;

    public static string Time(double? value) => value?.ToString(value < 1000 ? "N1" : "N0", CultureInfo.InvariantCulture) ?? None;
}
