namespace PoolApi.Threading.Tests;

/// <summary>The constructor refuses a wrong setting with a message that names the setting and its range.</summary>
public class OptionsTests
{
    public static TheoryData<string, string, Action<FixedThreadPoolOptions>> Wrong => new()
    {
        { "Workers", "1 to 1024", static o => o.Workers = 0 },
        { "Workers", "1 to 1024", static o => o.Workers = -3 },
        { "Workers", "1 to 1024", static o => o.Workers = 1025 },
        { "QueueCapacity", "1 to 16777216", static o => o.QueueCapacity = 0 },
        { "QueueCapacity", "1 to 16777216", static o => o.QueueCapacity = 16_777_217 },
        { "MaxQueueTime", "more than zero, or infinite", static o => o.MaxQueueTime = TimeSpan.Zero },
        { "MaxQueueTime", "more than zero, or infinite", static o => o.MaxQueueTime = TimeSpan.FromSeconds(-1) },
        { "MaxRunTime", "more than zero, or infinite", static o => o.MaxRunTime = TimeSpan.Zero },
        { "MaxRunTime", "more than zero, or infinite", static o => o.MaxRunTime = TimeSpan.FromMilliseconds(-2) },
        { "StuckAfter", "more than zero, or infinite", static o => o.StuckAfter = TimeSpan.Zero },
        { "StuckAfter", "more than zero, or infinite", static o => o.StuckAfter = TimeSpan.FromMilliseconds(-2) },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = "" },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = null! },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = new string('x', 33) },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = "a b" },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = "ä" },
        { "Name", "1 to 32 ASCII letters", static o => o.Name = "a\n" },
    };

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void A_setting_out_of_its_range_is_refused_with_its_name_and_its_range(
        string setting, string range, Action<FixedThreadPoolOptions> change)
    {
        var options = new FixedThreadPoolOptions();
        change(options);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new FixedThreadPool(options));
        Assert.Equal(setting, error.ParamName);
        Assert.StartsWith($"{setting} must be {range}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_clock_is_refused() =>
        Assert.Equal("TimeProvider", Assert.Throws<ArgumentNullException>(
            () => new FixedThreadPool(new FixedThreadPoolOptions { TimeProvider = null! })).ParamName);

    [Fact]
    public void The_options_have_the_documented_defaults()
    {
        var options = new FixedThreadPoolOptions();
        Assert.Equal(("cpu", Environment.ProcessorCount, 1024), (options.Name, options.Workers, options.QueueCapacity));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(1)), (options.MaxQueueTime, options.StuckAfter));
        Assert.Equal(Timeout.InfiniteTimeSpan, options.MaxRunTime);
        Assert.Null(options.MaxStandIns);
        using var pool = new FixedThreadPool();
        Assert.Equal(("cpu", Environment.ProcessorCount), (pool.Name, pool.Workers));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 1024)]
    [InlineData(4096, 1024)]
    public void The_default_number_of_workers_is_the_number_of_processors_up_to_1024(int processors, int workers) =>
        Assert.Equal(workers, FixedThreadPoolOptions.WorkersFor(processors));

    [Fact]
    public void Settings_are_read_once()
    {
        FixedThreadPoolOptions options = Pools.Options(2, 3);
        using var pool = new FixedThreadPool(options);
        string name = pool.Name;
        (options.Name, options.Workers, options.QueueCapacity) = ("other", 9, 9);
        PoolSnapshot snapshot = pool.GetSnapshot();
        Assert.Equal((name, 2, 3), (snapshot.Name, snapshot.Workers.Count, snapshot.QueueCapacity));
    }

    [Fact]
    public void The_largest_pool_starts_and_ends()
    {
        using FixedThreadPool pool = Pools.Make(FixedThreadPoolOptions.MaxWorkers, FixedThreadPoolOptions.MaxQueueCapacity);
        Assert.Equal(1024, Pools.ThreadsNamed($"{pool.Name}-").Count);
        pool.Dispose();
        Pools.NoThreadIsLeft(pool);
    }

    [Fact]
    public void Null_is_refused_as_work()
    {
        using FixedThreadPool pool = Pools.Make();
        Assert.Throws<ArgumentNullException>(() => pool.TrySubmit((PoolWorkItem)null!));
        Assert.Throws<ArgumentNullException>(() => { _ = pool.RunAsync((Action)null!).AsTask(); });
        Assert.Throws<ArgumentNullException>(() => { _ = pool.RunAsync((Func<Task>)null!).AsTask(); });
        Assert.Throws<ArgumentNullException>(() => { _ = pool.RunAsync((Func<int>)null!).AsTask(); });
    }
}
