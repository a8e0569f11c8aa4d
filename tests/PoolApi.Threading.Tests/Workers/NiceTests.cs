
namespace PoolApi.Threading.Tests.Workers;

/// <summary>The nice setting lowers the priority of the pool's threads, and of no other thread.</summary>
public class NiceTests
{
    private const int NiceField = 16; // the index of the nice value in /proc/PID/stat, counted from the state, the third field

    [Fact]
    public void The_pools_threads_have_the_nice_value_and_the_others_keep_theirs()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has nice values of threads.");
        int before = Mine();
        using FixedThreadPool nice = Pools.Make(3, more: static o => o.Nice = 10);
        using FixedThreadPool plain = Pools.Make(2);
        using FixedThreadPool zero = Pools.Make(1, more: static o => o.Nice = 0);
        using (nice.Occupy()) // every worker has started by then
        using (plain.Occupy())
        using (zero.Occupy())
        {
            int nicer = Math.Min(before + 10, 19);
            Assert.Equal([nicer, nicer, nicer], Of(nice));
            Assert.Equal([before, before], Of(plain));
            Assert.Equal([before], Of(zero));
            nice.Resize(4);
            Patience.Until(() => Of(nice).SequenceEqual([nicer, nicer, nicer, nicer]));
        }
        Assert.Equal(before, Mine());
    }

    [Theory]
    [InlineData(0, 5, 5)]
    [InlineData(5, 5, 10)]
    [InlineData(-5, 10, 5)]
    [InlineData(15, 10, 19)]
    public void The_nice_setting_is_added_to_the_nice_value_of_the_process_up_to_19(int ofProcess, int nice, int expected) =>
        Assert.Equal(expected, ThreadPriorities.OfWorker(ofProcess, nice));

    [Theory]
    [InlineData(-1)]
    [InlineData(20)]
    public void A_value_out_of_range_is_refused(int nice)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Pools.Make(more: o => o.Nice = nice));
        Assert.Equal("Nice", error.ParamName);
        Assert.StartsWith("Nice must be 0 to 19, or null", error.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<int> Of(FixedThreadPool pool) => Pools.ThreadsNamed($"{pool.Name}-").Select(NiceOf);

    private static int NiceOf(string thread) =>
        int.Parse(Pools.ThreadStat(thread)[NiceField], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The nice value of a thread that starts now, as the pool's threads do.</summary>
    private static int Mine()
    {
        int nice = 0;
        Patience.OnOwnThread(() =>
        {
            string stat = File.ReadAllText("/proc/thread-self/stat");
            nice = int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[NiceField], System.Globalization.CultureInfo.InvariantCulture);
        }).JoinPatiently();
        return nice;
    }
}
