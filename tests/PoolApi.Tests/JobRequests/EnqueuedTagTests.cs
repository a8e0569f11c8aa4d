using PoolApi.Jobs;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>The tags of a job are stored sorted, and each once.</summary>
public sealed class EnqueuedTagTests
{
    private static readonly string[] Sorted = ["A", "a", "b:1"];

    [Theory]
    [InlineData(false)] // a free worker gets the job as it is accepted
    [InlineData(true)]
    public async Task A_tag_that_the_caller_gives_twice_is_stored_once(bool later)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: static services => new JobsBuilder(services).AddJob<Word>("word", (Word word, JobContext job) => word.Text));
        IJobs jobs = app.App.Services.GetRequiredService<IJobs>();

        Job made = await jobs.EnqueueAsync(
            new Word("x"), new() { Tags = ["b:1", "a", "A", "b:1", "a"], RunAt = later ? DateTimeOffset.UtcNow.AddDays(1) : null }, ServiceApp.Token);

        Assert.Equal(Sorted, made.Tags);
        Assert.Equal(Sorted, (await jobs.GetAsync(made.Id, ServiceApp.Token))!.Tags);
        if (!later) Assert.Equal(Sorted, (await jobs.WaitAsync(made.Id, ServiceApp.Token))!.Tags);
        JobPage found = await app.Store.ListAsync(new JobQuery { Tag = "b:1", Limit = 10 }, ServiceApp.Token);
        Assert.Equal(made.Id, Assert.Single(found.Jobs).Id);
    }

    [Fact]
    public async Task The_tags_of_a_request_are_sorted()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app => app.MapPost("/v1/work", static () => "done").AllowJobs().RunOnPool());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/work?tag=b:1&tag=a&tag=A");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(Sorted, (await app.JobOfAsync(answer))["tags"]!.AsArray().Select(static tag => (string)tag!));
    }

    private sealed record Word(string Text);
}
