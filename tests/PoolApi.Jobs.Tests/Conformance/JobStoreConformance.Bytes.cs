using PoolApi.Jobs.Stores;
using PoolApi.Threading;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests.Conformance;

public abstract partial class JobStoreConformance
{
    [Theory]
    [InlineData(0, "", true)]
    [InlineData(99, "", true)]
    [InlineData(100, "a", true)]
    [InlineData(399, "a", true)]
    [InlineData(400, "a b", true)]
    [InlineData(401, "a b c", true)]
    [InlineData(402, "a b c d", false)]
    [InlineData(long.MaxValue, "a b c d", false)]
    public async Task Jobs_are_claimed_in_order_while_their_bodies_fit(long maxBytes, string kinds, bool isOutOfBytes)
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now - TimeSpan.FromMinutes(1);
        // The small jobs behind the large job do not overtake it.
        await AcceptAsync(store, WithBody("d", 1, WorkPriority.Low, start));
        await AcceptAsync(store, WithBody("c", 1, WorkPriority.Normal, start.AddSeconds(2)));
        await AcceptAsync(store, WithBody("b", 300, WorkPriority.Normal, start.AddSeconds(1)));
        await AcceptAsync(store, WithBody("a", 100, WorkPriority.High, start.AddSeconds(3)));

        JobClaims claims = await store.ClaimAsync("me", 10, maxBytes, Jobs.LongLease, Token);

        Assert.Equal(kinds, string.Join(' ', claims.Claims.Select(static c => c.Job.Kind)));
        Assert.Equal(isOutOfBytes, claims.IsOutOfBytes);
        // An instance with room can claim the remaining jobs, and no attempt of theirs was counted.
        List<JobClaim> others = await ClaimAllAsync(store);
        Assert.Equal("a b c d", string.Join(' ', claims.Claims.Concat(others).Select(static c => c.Job.Kind)));
        Assert.All(others, static c => Assert.Equal(1, c.Job.Attempt));
    }

    [Fact]
    public async Task A_claim_that_is_limited_by_its_job_count_does_not_report_out_of_bytes()
    {
        await using IJobStore store = await OpenAsync();
        for (int i = 0; i < 3; i++) await AcceptAsync(store, WithBody("a", 10));

        Assert.False((await store.ClaimAsync("me", 2, 20, Jobs.LongLease, Token)).IsOutOfBytes);
        Assert.False((await store.ClaimAsync("me", 2, 20, Jobs.LongLease, Token)).IsOutOfBytes);
        Assert.False((await store.ClaimAsync("me", 2, 0, Jobs.LongLease, Token)).IsOutOfBytes);
    }

    [Fact]
    public async Task A_claim_includes_small_bodies_up_to_a_bound_and_large_bodies_are_read_later()
    {
        await using IJobStore store = await OpenAsync();
        DateTimeOffset start = Jobs.Now - TimeSpan.FromMinutes(1);
        int[] lengths = [BodyLimits.Inline + 1, 0, BodyLimits.Inline, 1_300_000, BodyLimits.Inline, BodyLimits.Inline, BodyLimits.Inline, BodyLimits.Inline];
        var bodies = new Dictionary<Guid, ReadOnlyMemory<byte>>();
        for (int i = 0; i < lengths.Length; i++)
        {
            NewJob job = WithBody("a", lengths[i], runAt: start.AddSeconds(i));
            bodies.Add((await AcceptAsync(store, job)).Id, job.Payload.Body);
        }

        JobClaims claims = await store.ClaimAsync("me", 10, long.MaxValue, Jobs.LongLease, Token);

        Assert.Equal(lengths, claims.Claims.Select(static c => (int)c.BodyBytes));
        Assert.Equal([true, false, false, true, false, false, false, true], claims.Claims.Select(static c => c.UnreadBytes > 0));
        foreach (JobClaim claim in claims.Claims)
        {
            Assert.Equal(("POST", "text/plain"), (claim.Payload.Metadata[0], claim.Payload.Metadata[3]));
            ReadOnlyMemory<byte>? body = claim.UnreadBytes > 0 ? await store.ReadBodyAsync(claim, Token) : claim.Payload.Body;
            Assert.True(body!.Value.Span.SequenceEqual(bodies[claim.Job.Id].Span));
        }
        JobClaim gone = claims.Claims[0];
        Assert.Null(await store.ReadBodyAsync(gone with { Job = gone.Job with { Id = Guid.CreateVersion7() } }, Token));
    }

    [Fact]
    public async Task A_result_larger_than_the_requested_limit_is_returned_without_its_body()
    {
        await using IJobStore store = await OpenAsync();
        await AcceptAsync(store);
        JobClaim claim = await ClaimOneAsync(store);
        var body = new byte[1_300_000];
        Random.Shared.NextBytes(body);
        Assert.True(await store.FinishAsync(claim, new JobEnd(JobState.Succeeded, new JobResult(201, "image/png", body)), Token));

        JobWithResult head = (await store.GetResultAsync(claim.Job.Id, body.Length - 1, Token))!;
        Assert.Equal((body.Length, 201, "image/png", 0), (head.UnreadBytes, head.Result!.Status, head.Result.ContentType, head.Result.Body.Length));

        JobWithResult whole = (await store.GetResultAsync(claim.Job.Id, body.Length, Token))!;
        Assert.Equal(0, whole.UnreadBytes);
        Assert.True(whole.Result!.Body.Span.SequenceEqual(body));
    }

    private static NewJob WithBody(string kind, int length, WorkPriority priority = WorkPriority.Normal, DateTimeOffset? runAt = null)
    {
        var body = new byte[length];
        Random.Shared.NextBytes(body);
        NewJob job = Jobs.New(kind, priority, runAt);
        return job with { Payload = new JobPayload(body, [.. job.Payload.Metadata.Take(3), "text/plain"]) };
    }
}
