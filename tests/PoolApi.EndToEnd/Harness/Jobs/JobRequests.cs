using System.Globalization;

namespace PoolApi.EndToEnd.Harness.Jobs;

/// <summary>The requests of clients about jobs.</summary>
internal static class JobRequests
{
    private const string Jobs = "/v1/jobs";

    /// <summary>POST with header fields, each as on the wire: "Idempotency-Key: 7".</summary>
    public static Task<Answer> PostWithAsync(this Endpoint api, string path, HttpContent? content, params string[] fields) =>
        SendAsync(api, HttpMethod.Post, path, content, fields);

    /// <summary>GET with header fields.</summary>
    public static Task<Answer> GetWithAsync(this Endpoint api, string path, params string[] fields) =>
        SendAsync(api, HttpMethod.Get, path, null, fields);

    /// <summary>DELETE of a job.</summary>
    public static Task<Answer> CancelJobAsync(this Endpoint api, Guid id, params string[] fields) =>
        SendAsync(api, HttpMethod.Delete, $"{Jobs}/{id}", null, fields);

    /// <summary>POST :retry.</summary>
    public static Task<Answer> RetryJobAsync(this Endpoint api, Guid id) => api.PostAsync($"{Jobs}/{id}:retry");

    /// <summary>Posts a job with these header fields; it must be accepted.</summary>
    public static Task<Guid> AcceptJobAsync(this Endpoint api, string path, params string[] fields) =>
        AcceptJobAsync(api, path, content: null, fields);

    /// <summary>Posts a job with a body; it must be accepted.</summary>
    public static async Task<Guid> AcceptJobAsync(this Endpoint api, string path, HttpContent? content, params string[] fields) =>
        IdOf(await api.PostWithAsync(path, content, ["Prefer: respond-async", .. fields]));

    /// <summary>The id of the job in a 202, whose Location and body must agree.</summary>
    public static Guid IdOf(Answer accepted)
    {
        accepted.MustBe(202).MustSayRetryAfter();
        var job = JobView.Read(accepted.Json());
        Assert.Equal($"{Jobs}/{job.Id}", accepted.Follow(accepted.Header("Location")!));
        Assert.Equal($"{Jobs}/{job.Id}", accepted.Follow(job.Json.GetProperty("links").GetProperty("self").GetString()!));
        return job.Id;
    }

    /// <summary>The job as it is now.</summary>
    public static async Task<JobView> JobAsync(this Endpoint api, Guid id) => JobView.Read((await api.GetAsync($"{Jobs}/{id}")).MustBe(200).Json());

    /// <summary>GET of the job's result.</summary>
    public static Task<Answer> ResultAsync(this Endpoint api, Guid id, params string[] fields) => api.GetWithAsync($"{Jobs}/{id}/result", fields);

    /// <summary>Waits for a job's end as a client does: with a request that the service answers at that time.</summary>
    public static async Task<JobView> JobEndsAsync(this Endpoint api, Guid id, int seconds = 180)
    {
        var answer = await api.GetWithAsync($"{Jobs}/{id}", string.Create(CultureInfo.InvariantCulture, $"Prefer: wait={seconds}"));
        var job = JobView.Read(answer.MustBe(200).Json());
        Assert.True(job.HasEnded, $"not ended within {seconds} s: {job}");
        return job;
    }

    /// <summary>Waits until the job meets the condition.</summary>
    public static Task<JobView> SeeJobAsync(this Endpoint api, Guid id, Func<JobView, bool> accept, string what) =>
        Eventually.SeesAsync(() => api.JobAsync(id), accept, what);

    /// <summary>All jobs that the query finds, page by page.</summary>
    public static async Task<List<JobView>> JobsAsync(this Endpoint api, string query)
    {
        var jobs = new List<JobView>();
        for (string? next = $"{Jobs}?{query}&limit=1000"; next is not null;)
        {
            var answer = (await api.GetAsync(next)).MustBe(200);
            var page = answer.Json();
            jobs.AddRange(page.GetProperty("jobs").EnumerateArray().Select(JobView.Read));
            next = page.GetProperty("next").GetString() is { } link ? answer.Follow(link) : null;
        }

        return jobs;
    }

    /// <summary>Waits until every job with this tag has ended, and returns them. The limit grows with their number, because clients may have posted for minutes.</summary>
    public static async Task<List<JobView>> AllJobsEndAsync(this Endpoint api, string tag)
    {
        const double JobsPerSecond = 5; // a busy machine runs more
        var all = await api.JobsAsync($"tag={tag}");
        await Eventually.SeesAsync(
            // A query for each state is cheap. But a job may return from running to queued between the two, so one query for all jobs decides.
            async () => await HasNoneAsync(api, tag, "queued") && await HasNoneAsync(api, tag, "running")
                && (all = await api.JobsAsync($"tag={tag}")).TrueForAll(job => job.HasEnded),
            ended => ended, "the end of all jobs", Patience.Long.TotalSeconds + all.Count / JobsPerSecond);
        return all;
    }

    private static async Task<bool> HasNoneAsync(Endpoint api, string tag, string state) =>
        (await api.GetAsync($"{Jobs}?tag={tag}&state={state}&limit=1")).MustBe(200).Json().GetProperty("jobs").GetArrayLength() == 0;

    private static Task<Answer> SendAsync(Endpoint api, HttpMethod method, string path, HttpContent? content, string[] fields)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        foreach (string field in fields)
        {
            string[] parts = field.Split(':', 2);
            Assert.True(request.Headers.TryAddWithoutValidation(parts[0], parts[1].TrimStart()), field);
        }

        return api.SendAsync(request);
    }
}
