using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using PoolApi.Jobs;
using PoolApi.Tests.JobRoutes.Support;
using PoolApi.Threading;

namespace PoolApi.Tests.JobRoutes;

/// <summary>GET /v1/jobs/{id}: the JSON of a job, its ETag, and requests that wait for a change.</summary>
public class JobGetTests
{
    private static readonly DateTimeOffset Time = new(2030, 1, 31, 8, 9, 10, 123, TimeSpan.Zero);

    [Fact]
    public async Task The_JSON_of_a_job_has_its_members_in_a_fixed_order()
    {
        await using JobApp app = await JobApp.StartAsync();
        Guid id = Guid.Parse("0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11");
        app.Store.Put(FakeJobStore.New(id: id) with { CreatedAt = Time, RunAt = Time });
        using HttpResponseMessage queued = await app.GetAsync($"/v1/jobs/{id}");
        await JobApp.JsonOf(queued, 200);
        const string Expected = """
            {"id":"0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11","kind":"thumbnails","state":"queued","attempt":0,"priority":"normal","tags":[],
            "createdAt":"2030-01-31T08:09:10.123Z","startedAt":null,"finishedAt":null,"progress":null,"worker":null,"error":null,
            "links":{"self":"0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11",
            "result":"0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11/result",
            "events":"0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11/events"},
            "maxAttempts":1,"runAt":"2030-01-31T08:09:10.123Z","deadline":null,"cancelRequested":false,"version":1,"attempts":[]}
            """;
        Assert.Equal(
            Expected.Replace("\n", "", StringComparison.Ordinal),
            await queued.Content.ReadAsStringAsync(JobApp.Token));

        app.Store.Put(FakeJobStore.New(JobState.Failed, id: id) with
        {
            Version = 7,
            Attempt = 2,
            MaxAttempts = 3,
            Priority = WorkPriority.High,
            Tags = ["b", "a"],
            CreatedAt = Time,
            RunAt = Time,
            StartedAt = Time.AddSeconds(1),
            FinishedAt = Time.ToOffset(TimeSpan.FromHours(2)).AddSeconds(2),
            Deadline = Time.AddDays(1),
            Progress = 0.5,
            Worker = "here-1",
            Error = new JobError("work-failed", "It \"failed\"."),
        });
        using HttpResponseMessage failed = await app.GetAsync($"/v1/jobs/{id}");
        JsonNode job = await JobApp.JsonOf(failed, 200);
        Assert.Equal(
            ("failed", 2, "high", "2030-01-31T08:09:11.123Z", "2030-01-31T08:09:12.123Z", 0.5, "here-1"),
            ((string?)job["state"], (int)job["attempt"]!, (string?)job["priority"], (string?)job["startedAt"], (string?)job["finishedAt"],
                (double)job["progress"]!, (string?)job["worker"]));
        Assert.Equal("""{"name":"work-failed","detail":"It \u0022failed\u0022."}""", job["error"]!.ToJsonString());
        Assert.Equal("""["b","a"]""", job["tags"]!.ToJsonString());
        Assert.Equal("\"7\"", JobApp.Header(failed, "ETag"));
        Assert.Equal("no-cache, private", string.Join(", ", JobApp.Header(failed, "Cache-Control")!.Split(", ").Order()));
    }

    [Fact]
    public async Task The_route_of_a_job_lists_its_attempts_and_the_list_of_jobs_omits_them()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New(JobState.Running) with
        {
            Attempt = 2,
            MaxAttempts = 3,
            StartedAt = Time.AddSeconds(9),
            Worker = "c",
            Earlier =
            [
                new PastAttempt(1, Time.AddSeconds(1), Time.AddSeconds(2), "a", PastOutcome.Retried, new JobError("busy", "Later.")),
                new PastAttempt(1, null, Time.AddSeconds(3), null, PastOutcome.Cancelled, null), // cancelled while it was queued, so no attempt
                new PastAttempt(2, Time.AddSeconds(4), Time.AddSeconds(5), "b", PastOutcome.HandedBack, null),
            ],
        });
        const string Earlier = """
            [{"attempt":1,"startedAt":"2030-01-31T08:09:11.123Z","endedAt":"2030-01-31T08:09:12.123Z","worker":"a","outcome":"retried",
            "error":{"name":"busy","detail":"Later."}},
            {"attempt":2,"startedAt":"2030-01-31T08:09:14.123Z","endedAt":"2030-01-31T08:09:15.123Z","worker":"b","outcome":"handed-back","error":null}
            """;
        const string Running = """
            ,{"attempt":2,"startedAt":"2030-01-31T08:09:19.123Z","endedAt":null,"worker":"c","outcome":null,"error":null}]
            """;
        const string Failed = """
            ,{"attempt":2,"startedAt":"2030-01-31T08:09:19.123Z","endedAt":"2030-01-31T08:09:20.123Z","worker":"c","outcome":"failed",
            "error":{"name":"work-failed","detail":"It failed."}}]
            """;
        Assert.Equal(Line(Earlier + Running), await AttemptsAsync());

        app.Store.Change(job.Id, static running => running with
        {
            State = JobState.Failed,
            FinishedAt = Time.AddSeconds(10),
            Error = new JobError("work-failed", "It failed."),
        });
        Assert.Equal(Line(Earlier + Failed), await AttemptsAsync());

        // The latest attempt is already among the earlier ones, and the job waits for the next one.
        app.Store.Change(job.Id, static failed => failed with { State = JobState.Queued, FinishedAt = null, Error = null, StartedAt = Time.AddSeconds(4) });
        Assert.Equal(Line(Earlier) + "]", await AttemptsAsync());

        using HttpResponseMessage list = await app.GetAsync("/v1/jobs");
        JsonNode listed = Assert.Single((await JobApp.JsonOf(list, 200))["jobs"]!.AsArray())!;
        Assert.Equal((string?)listed["id"], $"{job.Id}");
        Assert.False(listed.AsObject().ContainsKey("attempts"));

        async Task<string> AttemptsAsync()
        {
            using HttpResponseMessage answer = await app.GetAsync($"/v1/jobs/{job.Id}");
            return (await JobApp.JsonOf(answer, 200))["attempts"]!.ToJsonString();
        }

        static string Line(string text) => text.Replace("\n", "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"7\"", 304)]
    [InlineData("W/\"7\"", 304)]
    [InlineData("\"6\", \"7\"", 304)]
    [InlineData("*", 304)]
    [InlineData("\"6\"", 200)]
    [InlineData("\"8\"", 200)]
    [InlineData("7", 200)]
    [InlineData("nonsense", 200)]
    public async Task A_request_with_a_matching_ETag_gets_304_without_a_body(string ifNoneMatch, int status)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New() with { Version = 7 });
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}", ("If-None-Match", ifNoneMatch));
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("\"7\"", JobApp.Header(response, "ETag"));
        Assert.Equal(status == 304, (await response.Content.ReadAsByteArrayAsync(JobApp.Token)).Length == 0);
    }

    [Theory]
    [InlineData("0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("nonsense")]
    [InlineData("0198f3a27c1e7b7e9a413d0f5c2b8e11")]
    [InlineData("%7B0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11%7D")]
    [InlineData("x:retry")]
    public async Task An_unknown_job_id_gets_404_with_a_detail_about_the_job(string id)
    {
        await using JobApp app = await JobApp.StartAsync(configure: JobApp.StopClock);
        foreach (string path in (string[])["GET ", "GET /result", "GET /events", "DELETE "])
        {
            string[] parts = path.Split(' ');
            using HttpResponseMessage response = await app.SendAsync(parts[0], $"/v1/jobs/{id}{parts[1]}", ("Prefer", "wait=60"));
            JsonNode problem = await Service.ServiceApp.AssertProblem(response, 404, "not-found");
            Assert.Contains("no such job", (string?)problem["detail"], StringComparison.Ordinal);
        }
        await app.AssertProblem("POST", $"/v1/jobs/{id}:retry", 404, "not-found");
        Assert.Equal(0, app.Store.Watch.Count);
    }

    /// <summary>The framework's parser accepts several spellings of the same id.</summary>
    [Theory]
    [InlineData("{0}%20")]
    [InlineData("%20{0}")]
    [InlineData("{0}%0A")]
    [InlineData("{0}%09")]
    [InlineData("{0}%C2%A0")]
    [InlineData("+{0}", 1)]
    [InlineData("0x{0}", 2)]
    public async Task Other_spellings_of_a_job_id_in_the_path_get_404(string form, int cut = 0)
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        string id = string.Format(System.Globalization.CultureInfo.InvariantCulture, form, job.Id.ToString("D")[cut..]);
        foreach (string path in (string[])["GET ", "GET /result", "GET /events", "DELETE ", "POST :retry"])
        {
            string[] parts = path.Split(' ');
            await app.AssertProblem(parts[0], $"/v1/jobs/{id}{parts[1]}", 404, "not-found");
        }
        using HttpResponseMessage there = await app.SendAsync("GET", $"/v1/jobs/{job.Id}");
        Assert.Equal(200, (int)there.StatusCode);
    }

    [Theory]
    [InlineData("", 200, "application/json; charset=utf-8")]
    [InlineData("/result", 409, "application/problem+json")]
    [InlineData("/events", 200, "text/event-stream")]
    public async Task Every_GET_route_of_jobs_answers_HEAD_without_a_body(string what, int status, string type)
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage response = await app.SendAsync("HEAD", $"/v1/jobs/{job.Id}{what}");
        Assert.Equal((status, type), ((int)response.StatusCode, JobApp.Header(response, "Content-Type")));
        Assert.Equal("", await response.Content.ReadAsStringAsync(JobApp.Token));
        using HttpResponseMessage list = await app.SendAsync("HEAD", "/v1/jobs");
        Assert.Equal(200, (int)list.StatusCode);
        using HttpResponseMessage none = await app.SendAsync("HEAD", $"/v1/jobs/{Guid.CreateVersion7()}{what}");
        Assert.Equal(404, (int)none.StatusCode);
    }

    [Fact]
    public async Task Waiting_ends_when_the_job_has_ended()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        Task<HttpResponseMessage> waiting = app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "respond-async, wait=60"));
        await app.UntilWatched(1);
        app.Store.Change(job.Id, JobState.Running);
        app.Store.Change(job.Id, job => job with { Progress = 0.5 });
        Assert.False(waiting.IsCompleted);
        app.Store.Change(job.Id, JobState.Succeeded);
        using HttpResponseMessage response = await waiting;
        Assert.Equal("succeeded", (string?)(await JobApp.JsonOf(response, 200))["state"]);
        Assert.Equal(("\"4\"", "wait=60"), (JobApp.Header(response, "ETag"), JobApp.Header(response, "Preference-Applied")));
        await app.UntilWatched(0);
    }

    [Fact]
    public async Task A_wait_with_an_ETag_ends_when_the_version_changes()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage other = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=60"), ("If-None-Match", "\"5\""));
        Assert.Equal("queued", (string?)(await JobApp.JsonOf(other, 200))["state"]);
        Task<HttpResponseMessage> waiting = app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=60"), ("If-None-Match", "\"1\""));
        await app.UntilWatched(1);
        app.Store.Change(job.Id, JobState.Running);
        using HttpResponseMessage response = await waiting;
        Assert.Equal("running", (string?)(await JobApp.JsonOf(response, 200))["state"]);
        Assert.Equal("\"2\"", JobApp.Header(response, "ETag"));
    }

    [Fact]
    public async Task A_wait_that_times_out_returns_the_job_or_304_if_its_version_is_unchanged()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        var clock = Stopwatch.StartNew();
        using HttpResponseMessage ended = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=1"));
        Assert.Equal("queued", (string?)(await JobApp.JsonOf(ended, 200))["state"]);
        using HttpResponseMessage known = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=1"), ("If-None-Match", "\"1\""));
        Assert.Equal(304, (int)known.StatusCode);
        Assert.Equal(("\"1\"", "wait=1"), (JobApp.Header(known, "ETag"), JobApp.Header(known, "Preference-Applied")));
        Assert.True(clock.Elapsed.TotalSeconds >= 1.9, $"{clock.Elapsed}");
        using HttpResponseMessage atOnce = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=0"));
        Assert.Equal((200, "wait=0"), ((int)atOnce.StatusCode, JobApp.Header(atOnce, "Preference-Applied")));
    }

    [Fact]
    public async Task A_request_does_not_wait_for_a_job_that_has_ended()
    {
        await using JobApp app = await JobApp.StartAsync(configure: JobApp.StopClock);
        Job job = app.Store.Put(FakeJobStore.New(JobState.Failed));
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=60"));
        Assert.Equal(200, (int)response.StatusCode);
        using HttpResponseMessage known = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=60"), ("If-None-Match", "\"1\""));
        Assert.Equal(304, (int)known.StatusCode);
    }

    [Theory]
    [InlineData("wait=-1")]
    [InlineData("wait=1e9")]
    [InlineData("wait=abc")]
    public async Task A_malformed_wait_is_ignored(string prefer)
    {
        await using JobApp app = await JobApp.StartAsync(configure: JobApp.StopClock);
        Job job = app.Store.Put(FakeJobStore.New());
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", prefer));
        Assert.Equal("queued", (string?)(await JobApp.JsonOf(response, 200))["state"]);
        Assert.False(response.Headers.Contains("Preference-Applied"));
    }

    [Fact]
    public async Task A_too_long_wait_is_shortened_to_the_maximum_and_reported_in_Preference_Applied()
    {
        await using JobApp app = await JobApp.StartAsync();
        Job job = app.Store.Put(FakeJobStore.New());
        app.Store.Change(job.Id, JobState.Succeeded);
        using HttpResponseMessage response = await app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=600"));
        Assert.Equal((200, "wait=300"), ((int)response.StatusCode, JobApp.Header(response, "Preference-Applied")));
    }

    [Fact]
    public async Task A_too_long_wait_ends_after_the_maximum_of_300_seconds()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var timers = new TimerRecorder(clock);
        await using JobApp app = await JobApp.StartAsync(configure: builder => builder.Services.AddSingleton<TimeProvider>(timers));
        Job job = app.Store.Put(FakeJobStore.New());
        Task<HttpResponseMessage> waiting = app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=600"));
        // Time that passes before the timer is set would not count for it.
        await Patience.UntilAsync(() => timers.Waits.Contains(TimeSpan.FromSeconds(300)), "the timer of the wait");
        clock.Advance(TimeSpan.FromSeconds(299));
        Assert.False(waiting.IsCompleted);

        clock.Advance(TimeSpan.FromSeconds(1));

        using HttpResponseMessage response = await waiting.Patiently();
        Assert.Equal("queued", (string?)(await JobApp.JsonOf(response, 200))["state"]);
    }

    [Fact]
    public async Task A_waiting_client_gets_the_current_job_when_the_app_stops()
    {
        await using JobApp app = await JobApp.StartAsync(kestrel: true);
        Job[] jobs = [.. Enumerable.Range(0, 10).Select(_ => app.Store.Put(FakeJobStore.New()))];
        Task<HttpResponseMessage>[] waiting = [.. jobs.Select(job => app.GetAsync($"/v1/jobs/{job.Id}", ("Prefer", "wait=60")))];
        await app.UntilWatched(jobs.Length);
        using var late = new CancellationTokenSource(Patience.Long);
        await app.App.StopAsync(late.Token);
        Assert.False(late.IsCancellationRequested);
        foreach (Task<HttpResponseMessage> one in waiting)
        {
            using HttpResponseMessage response = await one;
            Assert.Equal("queued", (string?)(await JobApp.JsonOf(response, 200))["state"]);
        }
    }
}
