using System.Globalization;

namespace PoolApi.TestKit;

/// <summary>How busy the machine is: for real times that a busy machine would make too short, such as that of work that holds a worker until the
/// test has done its next step, or a limit on the time of a server.</summary>
public static class MachineLoad
{
    /// <summary>Up to this load of each processor the times stay as they are.</summary>
    private const double Usual = 4;

    private const int Longest = 600_000;

    /// <summary>How many times busier than usual the machine is, from 1 on.</summary>
    public static double Factor
    {
        get
        {
            string lastMinute = File.ReadAllText("/proc/loadavg").Split(' ')[0];
            return Math.Max(1, double.Parse(lastMinute, CultureInfo.InvariantCulture) / Environment.ProcessorCount / Usual);
        }
    }

    /// <summary>The time, or as much more as the machine is busier than usual, up to ten minutes.</summary>
    public static int Stretch(int milliseconds) => (int)Math.Max(milliseconds, Math.Min(Longest, milliseconds * Factor));

    /// <inheritdoc cref="Stretch(int)"/>
    public static TimeSpan Stretch(TimeSpan time) => TimeSpan.FromMilliseconds(Stretch((int)time.TotalMilliseconds));

    /// <summary>The same in whole seconds.</summary>
    public static int StretchSeconds(int seconds) => (Stretch(seconds * 1000) + 999) / 1000;

    /// <summary>Repeats what fails because the machine is busy: for a time that the product has fixed, such as the 0.7 s of a forced end. Where the
    /// machine is not busy, the first attempt decides.</summary>
    public static async Task TryAgainAsync(Func<Task<bool>> attemptAsync, string failure)
    {
        for (int attempt = 1; !await attemptAsync(); attempt++) Assert.True(attempt < 5 && Factor > 1, $"{failure}, at attempt {attempt}");
    }
}
