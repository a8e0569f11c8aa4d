using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.AspNetCore.Tests.Support;

namespace PoolApi.AspNetCore.Tests.Settings;

/// <summary>Settings are validated at the start, all at once, before any thread is created.</summary>
public class SettingsTests
{
    [Theory]
    [InlineData("Pool:Workers", "0", "a whole number from 1 to 1024")]
    [InlineData("Pool:Workers", "-3", "a whole number from 1 to 1024")]
    [InlineData("Pool:Workers", "1025", "a whole number from 1 to 1024")]
    [InlineData("Pool:Workers", " ", "a whole number from 1 to 1024")]
    [InlineData("Pool:QueueCapacity", "many", "a whole number from 1 to 16777216")]
    [InlineData("Pool:QueueCapacity", "99999999999999999999", "a whole number from 1 to 16777216")]
    [InlineData("Pool:MaxQueueTime", "30", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:MaxQueueTime", "-00:00:01", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:MaxRunTime", "00:00:00", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:MaxBodyBytes", "0", "a whole number from 1 to 1073741824")]
    [InlineData("Pool:QueueBytes", "1.5", "a whole number from 1 to 1099511627776; not set, it is a quarter of the memory that the runtime may use, at most 268435456")]
    [InlineData("Pool:StuckAfter", "00:00:00", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:StuckAfter", "-00:00:00.0020000", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:StuckAfter", "-1", "a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never")]
    [InlineData("Pool:Name", "io", "'cpu', the name that the app registered")]
    [InlineData("Shutdown:LameDuck", "01:00:01", "a time from 00:00:00 to 01:00:00, written [d.]hh:mm:ss[.fff]")]
    [InlineData("Shutdown:Drain", "x", "a time from 00:00:00 to 1.00:00:00, written [d.]hh:mm:ss[.fff]")]
    [InlineData("Shutdown:Cancel", "25:00", "a time from 00:00:00 to 01:00:00, written [d.]hh:mm:ss[.fff]")]
    [InlineData("Shutdown:MaxRequests", "-1", "a whole number from 0 to 9223372036854775807")]
    public async Task An_invalid_value_fails_the_start_and_the_error_states_the_key_and_the_allowed_values(string key, string value, string allowed) =>
        Assert.Equal([$"{key} is '{value}'; it must be {allowed}."], await FaultsAsync(new() { [key] = value }));

    [Theory]
    [InlineData("Pool:Worker", "Pool:Worker is not a setting; the settings under Pool are: MaxBodyBytes, MaxQueueTime, MaxRunTime, Name, Nice, OverloadControl, QueueBytes, QueueCapacity, ServerTiming, StuckAfter, Workers. (Its value is '1'.)")]
    [InlineData("Pool:Nested:Key", "Pool:Nested is not a setting; the settings under Pool are: MaxBodyBytes, MaxQueueTime, MaxRunTime, Name, Nice, OverloadControl, QueueBytes, QueueCapacity, ServerTiming, StuckAfter, Workers.")]
    [InlineData("Pool:0", "Pool:0 is not a setting; the settings under Pool are: MaxBodyBytes, MaxQueueTime, MaxRunTime, Name, Nice, OverloadControl, QueueBytes, QueueCapacity, ServerTiming, StuckAfter, Workers. (Its value is '1'.)")]
    [InlineData("Shutdown:drains", "Shutdown:drains is not a setting; the settings under Shutdown are: Cancel, Drain, LameDuck, MaxRequests, Watchdog. (Its value is '1'.)")]
    [InlineData("Pool:QueueBytes:0", "Pool:QueueBytes has settings under it; it must be a whole number from 1 to 1099511627776; not set, it is a quarter of the memory that the runtime may use, at most 268435456.")]
    [InlineData("Pool:Name:First", "Pool:Name has settings under it; it must be 'cpu', the name that the app registered.")]
    public async Task An_unknown_key_fails_the_start_and_the_error_states_what_is_allowed(string key, string fault) =>
        Assert.Equal([fault], await FaultsAsync(new() { [key] = "1" }));

    [Fact]
    public void The_default_budget_for_bodies_is_a_quarter_of_the_runtimes_memory_up_to_256_MiB()
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        Assert.Equal(Math.Min(256 << 20, memory / 4), new PoolOptions().QueueBytes);
    }

    [Fact]
    public async Task The_start_reports_all_faults_of_all_pools_and_of_the_shutdown_at_once()
    {
        string[] faults = await FaultsAsync(
            new() { ["Pool:Workers"] = "0", ["Pool:Colour"] = "red", ["Io:Workers"] = "none", ["Shutdown:Drain"] = "soon" },
            b => b.Services.AddFixedThreadPool("io").FromSection("Io"));
        Assert.Equal(4, faults.Length);
        Assert.Contains(faults, static f => f.StartsWith("Io:Workers is 'none'", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Out_of_range_values_that_code_sets_fail_the_start()
    {
        string[] faults = await FaultsAsync([], b => b.Services
            .AddFixedThreadPool("code", static o =>
            {
                o.Workers = 0;
                o.QueueBytes = -1;
                o.MaxQueueTime = TimeSpan.Zero;
                o.MaxRunTime = TimeSpan.FromDays(2);
                o.StuckAfter = TimeSpan.FromMilliseconds(-2);
            }).FromSection("Code").Services
            .AddFixedThreadPool("a name with blanks").FromSection("Blank").Services
            .Configure<ShutdownOptions>(static o => o.Drain = TimeSpan.FromDays(2)));
        Assert.Equal(
            [
                "Blank:Name is 'a name with blanks'; it must be 1 to 32 ASCII letters, digits, '-', '_' or '.'.",
                "Code:MaxQueueTime was set to 00:00:00 in code; it must be a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never.",
                "Code:MaxRunTime was set to 2.00:00:00 in code; it must be a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never.",
                "Code:QueueBytes was set to -1 in code; it must be a whole number from 1 to 1099511627776.",
                "Code:StuckAfter was set to -00:00:00.0020000 in code; it must be a time from 00:00:00.0010000 to 1.00:00:00, written [d.]hh:mm:ss[.fff], or -00:00:00.0010000 for never.",
                "Code:Workers was set to 0 in code; it must be a whole number from 1 to 1024.",
                "Shutdown:Drain was set to 2.00:00:00 in code; it must be a time from 00:00:00 to 1.00:00:00, written [d.]hh:mm:ss[.fff].",
            ],
            faults);
    }

    [Fact]
    public async Task Code_overrides_the_configuration_and_keys_are_case_insensitive()
    {
        await using TestApp app = await TestApp.StartAsync(
            static _ => { },
            new() { ["pool:WORKERS"] = "3", ["Pool:MaxQueueTime"] = "0:0:5", ["Pool:StuckAfter"] = "1.00:00:00", ["More:Workers"] = "3" },
            b => b.Services.AddFixedThreadPool("more", static o => o.Workers++).FromSection("More"));
        Assert.Equal(3, app.Pool.Workers);
        Assert.Equal(TimeSpan.FromSeconds(5), app.PoolContext().Options.MaxQueueTime);
        Assert.Equal(TimeSpan.FromDays(1), app.PoolContext().Options.StuckAfter);
        Assert.Equal(4, app.PoolContext("more").Threads.Workers);
    }

    [Fact]
    public async Task An_empty_value_counts_as_not_set()
    {
        await using TestApp app = await TestApp.StartAsync(
            static _ => { }, new() { ["More:Workers"] = "", ["More:MaxQueueTime"] = "" },
            static b => b.Services.AddFixedThreadPool("more").FromSection("More"));
        Assert.Equal(new PoolOptions().Workers, app.PoolContext("more").Threads.Workers);
        Assert.Equal(new PoolOptions().MaxQueueTime, app.PoolContext("more").Options.MaxQueueTime);
    }

    [Theory]
    [InlineData("-00:00:00.0010000", false)]
    [InlineData("-0:0:0.001", false)]
    [InlineData(null, true)]
    public async Task StuckAfter_may_be_infinite_in_a_setting_and_in_code(string? setting, bool inCode)
    {
        await using TestApp app = await TestApp.StartAsync(
            static _ => { },
            new() { ["More:StuckAfter"] = setting },
            b => b.Services.AddFixedThreadPool("more", o => o.StuckAfter = inCode ? Timeout.InfiniteTimeSpan : o.StuckAfter).FromSection("More"));
        Assert.Equal(Timeout.InfiniteTimeSpan, app.PoolContext("more").Options.StuckAfter);
        Assert.Equal(1, app.PoolContext("more").Threads.Run(static () => 1));
    }

    [Fact]
    public async Task A_start_that_fails_after_the_pools_have_started_leaves_no_thread_behind()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var log = new CapturingLog();
        WebApplication app = TestApp.Build(static _ => { }, new() { ["Pool:Workers"] = "3" }, null, kestrel: true, pool: true, log);
        app.Urls.Clear();
        app.Urls.Add($"http://127.0.0.1:{((System.Net.IPEndPoint)taken.LocalEndpoint).Port}");
        await Assert.ThrowsAsync<IOException>(() => app.StartAsync(TestApp.Token));
        await app.DisposeAsync();
        Assert.Equal(3, log.With("Shutting down worker").Length);
    }

    private static async Task<string[]> FaultsAsync(Dictionary<string, string?> settings, Action<WebApplicationBuilder>? configure = null)
    {
        var log = new CapturingLog();
        WebApplication app = TestApp.Build(static _ => { }, settings, configure, kestrel: false, pool: true, log);
        Exception thrown = await Assert.ThrowsAnyAsync<Exception>(() => app.StartAsync(TestApp.Token));
        await app.DisposeAsync(); // the pools log the end of each thread
        Assert.Empty(log.With("Shutting down worker")); // no thread was created
        return [.. Flat(thrown).Order(StringComparer.Ordinal)];

        static IEnumerable<string> Flat(Exception e) => e switch
        {
            AggregateException many => many.InnerExceptions.SelectMany(Flat),
            OptionsValidationException faults => faults.Failures,
            _ => [e.ToString()],
        };
    }
}
