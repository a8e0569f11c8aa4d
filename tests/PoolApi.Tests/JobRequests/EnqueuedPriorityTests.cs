using PoolApi.Jobs;
using PoolApi.Tests.Service;
using PoolApi.Threading;

namespace PoolApi.Tests.JobRequests;

/// <summary>The priority of a job from code.</summary>
public sealed class EnqueuedPriorityTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public async Task A_number_that_is_no_priority_is_refused_and_nothing_is_stored(int number)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: static services => new JobsBuilder(services).AddJob<Word>("word", (Word word, JobContext job) => word.Text));
        IJobs jobs = app.App.Services.GetRequiredService<IJobs>();

        var refused = await Assert.ThrowsAsync<ArgumentException>(
            async () => await jobs.EnqueueAsync(new Word("x"), new() { Priority = (WorkPriority)number }, ServiceApp.Token));

        Assert.Contains("Priority must be Low, Normal or High", refused.Message, StringComparison.Ordinal);
        Assert.Empty((await app.Store.ListAsync(new JobQuery { Limit = 10 }, ServiceApp.Token)).Jobs);
    }

    private sealed record Word(string Text);
}
