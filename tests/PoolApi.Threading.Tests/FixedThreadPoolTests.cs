namespace PoolApi.Threading.Tests;

public class FixedThreadPoolTests
{
    [Fact]
    public async Task Runs_on_its_own_threads_and_adds_up()
    {
        var pool = new FixedThreadPool(new() { Name = "t", Workers = 2 });
        string? name = await pool.RunAsync(() => Thread.CurrentThread.Name);
        Assert.StartsWith("t-", name, StringComparison.Ordinal);
        string?[] names = await pool.RunAsync(async () =>
        {
            string? a = Thread.CurrentThread.Name;
            await Task.Delay(10);
            string? b = Thread.CurrentThread.Name;
            await Task.Yield();
            return new[] { a, b, Thread.CurrentThread.Name };
        });
        Assert.All(names, n => Assert.StartsWith("t-", n, StringComparison.Ordinal));
        ShutdownReport report = await pool.ShutdownAsync(ShutdownMode.Drain, TimeSpan.FromSeconds(5));
        Assert.True(report.Joined);
        Assert.Equal(2, report.Counts.Completed);
        Assert.Equal(report.Counts.Accepted, report.Counts.Ended);
        pool.Dispose();
    }
}
