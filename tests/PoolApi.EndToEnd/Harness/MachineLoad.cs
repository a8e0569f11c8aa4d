using System.Globalization;

namespace PoolApi.EndToEnd.Harness;

/// <summary>How busy the machine is, so that work that a test holds a worker with lasts until the test has done its next step.</summary>
internal static class MachineLoad
{
    /// <summary>Up to this load of each processor the times stay as they are.</summary>
    private const double Usual = 4;

    private const int Longest = 600_000;

    /// <summary>The time, or as much more as the machine is busier than usual, up to ten minutes.</summary>
    public static int Stretch(int milliseconds)
    {
        string lastMinute = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        double wanted = double.Parse(lastMinute, CultureInfo.InvariantCulture) / Environment.ProcessorCount;
        return (int)Math.Max(milliseconds, Math.Min(Longest, milliseconds * wanted / Usual));
    }
}
