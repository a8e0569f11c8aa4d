using System.Net.Http.Headers;

namespace PoolApi.EndToEnd.Jobs;

/// <summary>A disk that is full: who asks is told so, nothing is lost, and it goes on when there is room again.</summary>
public sealed class FullDiskTests
{
    [Theory, ClassData(typeof(BothForms))]
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
        // What needs no store goes on, and what is in it can be read.
        (await service.Api.PostAsync("/v1/diagnostics/noop")).MustBe(200);
        Assert.Equal("queued", (await service.Api.JobAsync(accepted[0])).State);
        File.Delete(ballast);
        accepted.Add(JobRequests.IdOf(await Eventually.SeesAsync(PostAsync, again => again.Status == 202, "it to go on")));
        // Either way there is nothing beyond what was promised, and all of that.
        Assert.Equal(accepted.Order(), (await service.Api.JobsAsync("state=queued")).Select(job => job.Id).Order());
        (await service.Api.CancelJobAsync(accepted[0])).MustBe(204);

        await service.KillAsync();
        await using var next = await PoolApiProcess.StartAsync(form, "--Pool:Workers 1", PoolApiProcess.Diagnostics, $"--Jobs:Path {path}");
        Assert.Equal(accepted.Skip(1).Order(), (await next.Api.JobsAsync("state=queued")).Select(job => job.Id).Order());

        Task<Answer> PostAsync() => service.Api.PostWithAsync(
            "/v1/thumbnails?width=8",
            new ByteArrayContent(Png.OfSize(200_000)) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } },
            "Prefer: respond-async", $"Job-Run-At: {DateTimeOffset.UtcNow.AddHours(1):O}");
    }
}
