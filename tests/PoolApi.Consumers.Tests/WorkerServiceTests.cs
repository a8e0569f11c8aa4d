namespace PoolApi.Consumers.Tests;

/// <summary>A worker service without HTTP: a generic host whose background service works on a pool.</summary>
public sealed class WorkerServiceTests
{
    private sealed class Batches(FixedThreadPool pool) : BackgroundService
    {
        public TaskCompletionSource<string> First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string? Last { get; private set; }

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            First.SetResult(await pool.RunAsync(static _ => Trail.Here, new WorkOptions { CancellationToken = stoppingToken }));
            await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Last = await pool.RunAsync(static () => Trail.Here); // the last batch
        }
    }

    [Fact]
    public async Task A_pool_of_the_host_takes_the_services_work_to_its_last_batch()
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddFixedThreadPool("batch", static o => o.Workers = 1);
        builder.Services.AddSingleton<Batches>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<Batches>());
        using IHost host = builder.Build();
        Batches batches = host.Services.GetRequiredService<Batches>();

        await host.StartAsync(ConsumerApp.Token);
        Assert.Equal("batch", await batches.First.Task.WaitAsync(ConsumerApp.Token));
        await host.StopAsync(ConsumerApp.Token);
        Assert.Equal("batch", batches.Last);
    }

    [Fact]
    public async Task A_pool_without_any_host_is_its_owners_to_stop()
    {
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "own", Workers = 1 });
        Assert.Equal("own", await pool.RunAsync(static () => Trail.Here));
        ShutdownReport report = await pool.ShutdownAsync(ShutdownMode.Drain, TimeSpan.FromSeconds(30));
        Assert.Equal(1, report.Counts.Completed);
    }
}
