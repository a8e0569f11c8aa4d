using System.Net.Http.Headers;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>On a full disk the service refuses new jobs and loses none. It accepts jobs again when the disk has space.</summary>
public sealed class FullDiskTests
{
    [Theory, ClassData(typeof(OneForm))]
    public async Task While_the_disk_is_full_jobs_are_refused_and_those_that_were_accepted_are_kept(ServiceForm form)
    {
        using var disk = await SmallDisk.MountAsync(megabytes: 12);
        string path = Path.Combine(disk.Path, "jobs.db");
        string ballast = Path.Combine(disk.Path, "ballast");
        await using var service = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {path}");
        await File.WriteAllBytesAsync(ballast, new byte[6_000_000], TestContext.Current.CancellationToken);
        var accepted = new List<Guid>();
        Answer answer;
        while ((answer = await PostAsync()).Status == 202)
        {
            accepted.Add(JobRequests.IdOf(answer));
            Assert.InRange(accepted.Count, 0, 200);
        }

        answer.MustBeProblem(503, "store-unavailable");
        answer.MustSayRetryAfter();
        // Requests that need no store are served, and stored jobs can be read.
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        Assert.Equal("queued", (await service.Api.JobAsync(accepted[0])).State);
        File.Delete(ballast);
        accepted.Add(JobRequests.IdOf(await Eventually.SeesAsync(PostAsync, again => again.Status == 202, "the service to accept jobs again")));
        // The store has exactly the accepted jobs.
        Assert.Equal(accepted.Order(), (await service.Api.JobsAsync("state=queued")).Select(job => job.Id).Order());
        (await service.Api.CancelJobAsync(accepted[0])).MustBe(204);

        await service.KillAsync();
        await using var next = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {path}");
        Assert.Equal(accepted.Skip(1).Order(), (await next.Api.JobsAsync("state=queued")).Select(job => job.Id).Order());

        Task<Answer> PostAsync() => PostLargeAsync(service);
    }

    [Theory]
    [InlineData(ServiceForm.FrameworkDependent, false)]
    [InlineData(ServiceForm.NativeAot, true)]
    public async Task A_service_started_on_a_full_disk_serves_stored_jobs_and_accepts_new_ones_later(ServiceForm form, bool isKilled)
    {
        using var disk = await SmallDisk.MountAsync(megabytes: 8);
        var (settings, ended, queued) = await LeaveJobsAsync(form, disk, isKilled);
        disk.Fill();

        await using var service = await PoolApiProcess.StartAsync(form, settings);

        Assert.Equal("done\n", (await service.Api.ResultAsync(ended)).MustBe(200).Text);
        Assert.Equal(new[] { ended, queued }.Order(), (await service.Api.JobsAsync("kind=diagnostics/noop")).Select(job => job.Id).Order());
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        for (int i = 0; i < 3; i++)
        {
            var refused = await PostLargeAsync(service);
            refused.MustBeProblem(503, "store-unavailable");
            refused.MustSayRetryAfter();
        }

        (await service.Management.GetAsync("/readyz")).MustBe(200);

        disk.Empty();

        await Eventually.SeesAsync(() => PostLargeAsync(service), again => again.Status == 202, "the service to accept jobs again");
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(await service.Api.AcceptJobAsync("/v1/diagnostics/noop"))).State);
        Assert.Equal("queued", (await service.Api.JobAsync(queued)).State);
    }

    [Fact]
    public async Task A_service_that_cannot_read_its_jobs_is_not_ready_until_the_disk_has_space()
    {
        using var disk = await SmallDisk.MountAsync(megabytes: 8);
        var (settings, ended, queued) = await LeaveJobsAsync(ServiceForm.NativeAot, disk, isKilled: false);
        await File.WriteAllBytesAsync(Path.Combine(disk.Path, "jobs.db-owner"), [], TestContext.Current.CancellationToken); // the store's reserved space
        disk.Fill();

        await using var service = await PoolApiProcess.LaunchAsync(ServiceForm.NativeAot, onePort: false, environment: null, settings);
        await service.WaitForLineAsync("the disk is full");
        await Eventually.SeesAsync(() => TryAsync(() => service.Management.GetAsync("/livez")), answer => answer?.Status == 200, "a live service");

        Assert.Contains("the disk is full", (await service.Management.GetAsync("/readyz")).MustBe(503).Text, StringComparison.Ordinal);
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        foreach (var refused in new[] { await service.Api.ResultAsync(ended), await service.Api.GetAsync("/v1/jobs"), await PostLargeAsync(service) })
        {
            refused.MustBeProblem(503, "store-unavailable");
            refused.MustSayRetryAfter();
        }

        disk.Empty();

        await Eventually.SeesAsync(() => service.Management.GetAsync("/readyz"), answer => answer.Status == 200, "the service to be ready");
        Assert.Equal("done\n", (await service.Api.ResultAsync(ended)).MustBe(200).Text);
        Assert.Equal("queued", (await service.Api.JobAsync(queued)).State);
        (await PostLargeAsync(service)).MustBe(202);
        Assert.Equal("succeeded", (await service.Api.JobEndsAsync(await service.Api.AcceptJobAsync("/v1/diagnostics/noop"))).State);

        static async Task<Answer?> TryAsync(Func<Task<Answer>> ask)
        {
            try
            {
                return await ask();
            }
            catch (HttpRequestException)
            {
                return null;
            }
        }
    }

    /// <summary>Leaves the store of a service that has run one job and has queued another.</summary>
    private static async Task<(string[] Settings, Guid Ended, Guid Queued)> LeaveJobsAsync(ServiceForm form, SmallDisk disk, bool isKilled)
    {
        string[] settings = ["--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {Path.Combine(disk.Path, "jobs.db")}"];
        await using var service = await PoolApiProcess.StartAsync(form, settings);
        var ended = await service.Api.AcceptJobAsync("/v1/diagnostics/noop");
        await service.Api.JobEndsAsync(ended);
        var queued = await service.Api.AcceptJobAsync("/v1/diagnostics/noop", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
        if (isKilled) await service.KillAsync();
        else Assert.Equal(0, (await service.StopAsync()).Exit);
        return (settings, ended, queued);
    }

    /// <summary>Posts a job for later whose body needs space on the disk.</summary>
    private static Task<Answer> PostLargeAsync(PoolApiProcess service) => service.Api.PostWithAsync(
        "/v1/thumbnails?width=8",
        new ByteArrayContent(Png.OfSize(200_000)) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } },
        "Prefer: respond-async", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
}
