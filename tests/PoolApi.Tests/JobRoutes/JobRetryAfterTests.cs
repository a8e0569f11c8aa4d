using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The Retry-After of a queued or running job.</summary>
public class JobRetryAfterTests
{
    private static readonly DateTimeOffset Now = new(2030, 6, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(JobState.Queued, 0, 1)]
    [InlineData(JobState.Queued, 10, 3)]
    [InlineData(JobState.Queued, 100_000, 30)]
    [InlineData(JobState.Queued, -0.5, 1)]
    [InlineData(JobState.Queued, -90.5, 91)]
    [InlineData(JobState.Queued, -100_000, 3600)]
    [InlineData(JobState.Running, 60, 15)]
    [InlineData(JobState.Running, -60, 1)]
    public void Retry_After_is_the_time_until_the_job_is_due_or_grows_with_its_elapsed_time(JobState state, double since, long seconds)
    {
        DateTimeOffset begun = Now.AddSeconds(-since);
        Job job = FakeJobStore.New(state) with { RunAt = begun, StartedAt = state == JobState.Running ? begun : null };
        Assert.Equal(seconds, JobRetryAfter.Of(job, Now));
    }
}
