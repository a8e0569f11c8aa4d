using PoolApi.Jobs;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>The start time of a job from code.</summary>
public sealed class EnqueuedTimeTests
{
    [Fact]
    public async Task A_job_with_a_past_RunAt_runs_now_and_its_timeout_starts_now()
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: static services => new JobsBuilder(services).AddJob<Word>("word", (Word word, JobContext job) => word.Text));
        IJobs jobs = app.App.Services.GetRequiredService<IJobs>();
        DateTimeOffset before = DateTimeOffset.UtcNow;

        Job made = await jobs.EnqueueAsync(new Word("x"), new() { RunAt = before.AddDays(-1), Timeout = TimeSpan.FromHours(1) }, ServiceApp.Token);

        Assert.InRange(made.RunAt, before.AddMinutes(-1), before.AddMinutes(10));
        Assert.Equal(JobState.Succeeded, (await jobs.WaitAsync(made.Id, ServiceApp.Token))!.State);
    }

    private sealed record Word(string Text);
}
