// Uses a client that Kiota has made, as a user does: for a thumbnail, a job, its result, a problem and a cancellation.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Made;
using Made.Models;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Abstractions.Serialization;
using Microsoft.Kiota.Http.HttpClientLibrary;
using Microsoft.Kiota.Http.HttpClientLibrary.Middleware.Options;

public static class ClientProgram
{
    public static async Task<string> RunAsync(string address, byte[] photo, string later)
    {
        using var adapter = new HttpClientRequestAdapter(new AnonymousAuthenticationProvider()) { BaseUrl = address };
        var client = new PoolClient(adapter);
        Stream image = Body();

        byte[] direct = await ReadAsync(await client.V1.Thumbnails.PostAsync(Body(), "image/jpeg", request =>
        {
            request.QueryParameters.Width = 320;
            request.QueryParameters.FitAsThumbnailFit = ThumbnailFit.Inside;
        }));

        // Kiota does not show the status. Only a 202 has a Location; without one, the stream would be the thumbnail itself.
        var headers = new HeadersInspectionHandlerOption { InspectResponseHeaders = true };
        Stream response = await client.V1.Thumbnails.PostAsync(image, "image/jpeg", request =>
        {
            request.QueryParameters.Width = 320;
            request.QueryParameters.Tag = ["holiday"];
            request.Headers.Add("Prefer", "respond-async");
            request.Options.Add(headers);
        });
        if (!headers.ResponseHeaders.ContainsKey("Location")) throw new InvalidOperationException("expected a Location");
        JobView job = await KiotaJsonSerializer.DeserializeAsync<JobView>(response, JobView.CreateFromDiscriminatorValue);
        JobView ended = await client.V1.Jobs[job.Id.Value].GetAsync(request => request.Headers.Add("Prefer", "wait=60"));
        Stream thumbnail = await client.V1.Jobs[job.Id.Value].Result.GetAsync();
        byte[] result = await ReadAsync(thumbnail);

        ProblemDetails problem = null;
        try
        {
            using (await client.V1.Thumbnails.PostAsync(Body(), "image/jpeg", request => request.QueryParameters.Width = 0)) { }
        }
        catch (ProblemDetails e)
        {
            problem = e;
        }

        Stream accepted = await client.V1.Thumbnails.PostAsync(Body(), "image/jpeg", request =>
        {
            request.QueryParameters.Width = 320;
            request.QueryParameters.RunAt = later;
            request.Headers.Add("Prefer", "respond-async");
        });
        JobView cancelled = await KiotaJsonSerializer.DeserializeAsync<JobView>(accepted, JobView.CreateFromDiscriminatorValue);
        await client.V1.Jobs[cancelled.Id.Value].DeleteAsync();

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
            // The message of the exception is the problem's detail.
            problemDetail = problem?.Message,
            problemField = (problem?.Errors.AdditionalData["width"] as UntypedArray)?.GetValue().OfType<UntypedString>().First().GetValue(),
            cancelledRunAt = cancelled.RunAt,
            cancelledState = (await client.V1.Jobs[cancelled.Id.Value].GetAsync()).State.ToString().ToLowerInvariant(),
        });

        Stream Body() => new MemoryStream(photo);
    }

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var all = new MemoryStream();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
