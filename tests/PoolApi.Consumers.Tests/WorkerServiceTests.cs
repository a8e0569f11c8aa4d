using System.Collections.Concurrent;
using PoolApi.Jobs;
using PoolApi.Jobs.AspNetCore;

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
            First.SetResult(await pool.RunAsync(static _ => Trail.Here, stoppingToken));
            await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Last = await pool.RunAsync(static () => Trail.Here); // the last batch
        }
    }

    [Fact]
    public async Task The_pool_of_a_host_runs_the_work_of_a_service_up_to_its_last_batch()
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
    public async Task A_pool_without_a_host_runs_work_and_its_owner_shuts_it_down()
    {
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions { Name = "own", Workers = 1 });
        Assert.Equal("own", await pool.RunAsync(static () => Trail.Here));
        ShutdownReport report = await pool.ShutdownAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(1, report.Counts[WorkOutcome.Completed]);
    }

    [Fact]
    public async Task Jobs_from_code_run_once_on_the_pool_of_a_host_without_HTTP()
    {
        using var folder = new TemporaryFolder();
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddFixedThreadPool("batch", static o => o.Workers = 1);
        builder.Services.AddSingleton<Counts>();
        builder.Services.AddJobs(static o => o.RetryDelay = TimeSpan.FromMilliseconds(1))
            .UseSqlite(folder.File("jobs.db"))
            .AddJob<Month>("report.monthly", static (Month month, Counts counts, JobContext job, CancellationToken cancellation) =>
            {
                job.Progress.Report(0.5);
                if (job.Attempt == 1) throw new InvalidOperationException("the first attempt fails");
                counts.Ran.Enqueue($"{month.Year}-{month.Number} {Trail.Here} {job.Attempt}/{job.MaxAttempts}");
            }, static o => o.MaxAttempts = 4);
        using IHost host = builder.Build();
        await host.StartAsync(ConsumerApp.Token);
        IJobs jobs = host.Services.GetRequiredService<IJobs>();

        Job first = await jobs.EnqueueAsync(new Month(2026, 11), new() { IdempotencyKey = "2026-11", Tags = ["nightly"] }, ConsumerApp.Token);
        Job again = await jobs.EnqueueAsync(new Month(2026, 11), new() { IdempotencyKey = "2026-11" }, ConsumerApp.Token);
        Assert.Equal((first.Id, "report.monthly"), (again.Id, again.Kind));
        await Assert.ThrowsAsync<IdempotencyKeyReusedException>(
            async () => await jobs.EnqueueAsync(new Month(2026, 12), new() { IdempotencyKey = "2026-11" }, ConsumerApp.Token));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await jobs.EnqueueAsync("no handler", null, ConsumerApp.Token));

        Job ended = (await jobs.WaitAsync(first.Id, ConsumerApp.Token))!;
        Assert.Equal((JobState.Succeeded, 2, "nightly"), (ended.State, ended.Attempt, ended.Tags.Single()));
        await host.StopAsync(ConsumerApp.Token);
        Assert.Equal("2026-11 batch 2/4", Assert.Single(host.Services.GetRequiredService<Counts>().Ran));
    }

    [Fact]
    public async Task Code_sees_the_progress_that_a_handler_has_reported_while_it_runs()
    {
        using var folder = new TemporaryFolder();
        using var gate = new Gate();
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddFixedThreadPool("batch", static o => o.Workers = 1);
        builder.Services.AddJobs().UseSqlite(folder.File("jobs.db"))
            .AddJob<Month>("report.monthly", (Month month, JobContext job, CancellationToken cancellation) =>
            {
                job.Progress.Report(0.5);
                return gate.Pass(cancellation);
            });
        using IHost host = builder.Build();
        await host.StartAsync(ConsumerApp.Token);
        IJobs jobs = host.Services.GetRequiredService<IJobs>();

        Guid id = (await jobs.EnqueueAsync(new Month(2026, 11), null, ConsumerApp.Token)).Id;
        Job? running = null;
        await Patience.UntilAsync(async () => (running = await jobs.GetAsync(id, ConsumerApp.Token))?.Progress is not null, "That the progress is in the store");
        Assert.Equal((JobState.Running, 0.5), (running!.State, running.Progress));
        gate.Open();
        Assert.Equal(JobState.Succeeded, (await jobs.WaitAsync(id, ConsumerApp.Token))!.State);
        await host.StopAsync(ConsumerApp.Token);
    }

    private sealed record Month(int Year, int Number);

    private sealed class Counts
    {
        public ConcurrentQueue<string> Ran { get; } = new();
    }
}
