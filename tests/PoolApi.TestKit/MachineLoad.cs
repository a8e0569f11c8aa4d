using System.Globalization;

namespace PoolApi.TestKit;

/// <summary>Measures how busy the machine is. Tests stretch real times that are too short on a busy machine: for example the time for which work holds
/// a worker until the test's next step, or the time limit of a server.</summary>
public static class MachineLoad
{
    /// <summary>Up to this load per processor, times are not stretched.</summary>
    private const double Usual = 4;

    private const int Longest = 600_000;

    /// <summary>How many times busier than usual the machine is, at least 1.</summary>
    public static double Factor
    {
        get
        {
            string lastMinute = File.ReadAllText("/proc/loadavg").Split(' ')[0];
            return Math.Max(1, double.Parse(lastMinute, CultureInfo.InvariantCulture) / Environment.ProcessorCount / Usual);
        }
    }

    /// <summary>The time, multiplied by <see cref="Factor"/>, up to ten minutes.</summary>
    public static int Stretch(int milliseconds) => (int)Math.Max(milliseconds, Math.Min(Longest, milliseconds * Factor));

    /// <inheritdoc cref="Stretch(int)"/>
    public static TimeSpan Stretch(TimeSpan time) => TimeSpan.FromMilliseconds(Stretch((int)time.TotalMilliseconds));

    /// <summary>The same in whole seconds.</summary>
    public static int StretchSeconds(int seconds) => (Stretch(seconds * 1000) + 999) / 1000;

    /// <summary>Repeats an attempt that fails because the machine is busy. For a time that is fixed in the product, such as the 0.7 s of a forced end.
    /// If the machine is not busy, the first attempt decides.</summary>
    public static async Task TryAgainAsync(Func<Task<bool>> attemptAsync, string failure)
    {
        for (int attempt = 1; !await attemptAsync(); attempt++) Assert.True(attempt < 5 && Factor > 1, $"{failure}, at attempt {attempt}");
    }
}
