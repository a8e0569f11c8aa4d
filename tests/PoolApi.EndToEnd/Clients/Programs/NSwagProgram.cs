// Uses a client that NSwag has made, as a user does: for a thumbnail, a job, its result, a problem and a cancellation.
using System;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Text.Json;
using System.Threading.Tasks;
using Made;

public static class ClientProgram
{
    public static async Task<string> RunAsync(string address, byte[] photo, string later)
    {
        using var http = new HttpClient();
        var client = new PoolClient(http) { BaseUrl = address };
        var image = new MemoryStream(photo);

        byte[] direct;
        using (FileResponse whole = await client.CreateThumbnailAsync(width: 320, body: Body(), fit: ThumbnailFit.Inside))
            direct = await ReadAsync(whole.Stream);

        var body = new FileParameter(image, "photo.jpg", "image/jpeg");
        using FileResponse response = await client.CreateThumbnailAsync(width: 320, body: body, prefer: "respond-async", tag: ["holiday"]);
        // 200 would be the thumbnail itself.
        if (response.StatusCode != 202) throw new InvalidOperationException($"expected 202, got {response.StatusCode}");
        JobView job = JsonSerializer.Deserialize<JobView>(response.Stream);
        JobView ended = await client.GetJobAsync(job.Id, prefer: "wait=60");
        using FileResponse thumbnail = await client.GetJobResultAsync(job.Id);
        byte[] result = await ReadAsync(thumbnail.Stream);

        ProblemDetails problem = null;
        try
        {
            using (await client.CreateThumbnailAsync(width: 0, body: Body())) { }
        }
        catch (ApiException<ProblemDetails> e)
        {
            problem = e.Result;
        }

        JobView cancelled;
        using (FileResponse accepted = await client.CreateThumbnailAsync(width: 320, body: Body(), prefer: "respond-async", runAt: later))
            cancelled = JsonSerializer.Deserialize<JobView>(accepted.Stream);
        await client.CancelJobAsync(cancelled.Id);

        return JsonSerializer.Serialize(new
        {
            thumbnail = direct,
            createdAt = job.CreatedAt,
            endedState = ended.State.ToString().ToLowerInvariant(),
            tags = ended.Tags,
            progress = ended.Progress,
            result,
            problemStatus = problem?.Status,
            problemType = problem?.Type,
            problemDetail = problem?.Detail,
            problemField = problem?.Errors["width"].First(),
            cancelledRunAt = cancelled.RunAt,
            cancelledState = (await client.GetJobAsync(cancelled.Id)).State.ToString().ToLowerInvariant(),
        });

        FileParameter Body() => new(new MemoryStream(photo), "photo.jpg", "image/jpeg");
    }

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
