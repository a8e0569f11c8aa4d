using System.Net;
using System.Text.Json.Nodes;
using PoolApi.Jobs;
using PoolApi.Jobs.Stores;
using PoolApi.Tests.Service;
using PoolApi.Tests.Thumbnails;

namespace PoolApi.Tests.Requests;

/// <summary>If the query names no format for a thumbnail, the header Accept chooses it, and a job keeps the choice.</summary>
public sealed class FormatNegotiationTests : IAsyncLifetime
{
    private const string Thumbnails = "/v1/thumbnails?width=8";
    private static readonly byte[] Photo = Samples.Encode("jpeg", 16, 12);
    private readonly TemporaryFolder _folder = new();
    private readonly ServiceApp _app;
    private readonly HttpClient _client;

    public FormatNegotiationTests()
    {
        _app = ServiceApp.With(("Jobs:Path", _folder.File("jobs.db")));
        _client = _app.CreateClient();
    }

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_Accept_header_chooses_the_format_and_the_response_has_a_Vary_header()
    {
        foreach (var (accept, type) in ((string?, string)[])[
            (null, "image/webp"), ("image/avif, image/webp", "image/avif"), ("image/jpg", "image/jpeg"), ("application/json", "image/webp")])
        {
            using HttpResponseMessage response = await PostAsync(Thumbnails, accept);
            Assert.Equal((HttpStatusCode.OK, type), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
            Assert.Equal(["Accept"], response.Headers.Vary);
        }
    }

    [Theory]
    [InlineData("jpg", "image/jpeg")]
    [InlineData("JPG", "image/jpeg")]
    [InlineData("png", "image/png")]
    public async Task A_format_in_the_query_overrides_the_Accept_header(string format, string type)
    {
        foreach (string accept in (string[])["image/avif", "image/*;q=0"])
        {
            using HttpResponseMessage response = await PostAsync($"{Thumbnails}&format={format}", accept);
            Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
            Assert.Empty(response.Headers.Vary);
        }
    }

    [Fact]
    public async Task A_client_that_accepts_only_unsupported_image_formats_gets_406()
    {
        using HttpResponseMessage response = await PostAsync(Thumbnails, "image/heic, image/gif");
        await ServiceApp.AssertProblem(response, 406, "not-acceptable", "Accept", "image/webp, image/jpeg, image/png or image/avif");
        Assert.Equal(["Accept"], response.Headers.Vary);
    }

    [Fact]
    public async Task A_job_keeps_the_format_that_was_chosen_when_it_was_accepted()
    {
        using HttpResponseMessage accepted = await PostAsync(Thumbnails, "image/png", ("Prefer", "respond-async"));
        Assert.Equal((HttpStatusCode.Accepted, "Accept"), (accepted.StatusCode, Assert.Single(accepted.Headers.Vary)));

        using HttpResponseMessage result = await ResultAsync(new Uri(accepted.RequestMessage!.RequestUri!, accepted.Headers.Location!));
        Assert.Equal("image/png", result.Content.Headers.ContentType?.MediaType);
        Assert.DoesNotContain("Accept", result.Headers.Vary); // a stored result does not depend on Accept
    }

    [Fact]
    public async Task A_repeated_idempotency_key_gets_the_same_result_for_the_same_format_and_422_for_another()
    {
        (string, string) key = ("Idempotency-Key", Guid.NewGuid().ToString());
        using HttpResponseMessage first = await PostAsync(Thumbnails, "image/png", key);
        using HttpResponseMessage again = await PostAsync(Thumbnails, "image/png, image/*;q=0.5", key);
        Assert.Equal("image/png", first.Content.Headers.ContentType?.MediaType);
        Assert.Equal(await first.Content.ReadAsByteArrayAsync(ServiceApp.Token), await again.Content.ReadAsByteArrayAsync(ServiceApp.Token));
        using HttpResponseMessage other = await PostAsync(Thumbnails, "image/jpeg", key);
        await ServiceApp.AssertProblem(other, 422, "idempotency-key-reused");
        using HttpResponseMessage none = await PostAsync(Thumbnails, null, key);
        await ServiceApp.AssertProblem(none, 422, "idempotency-key-reused");
    }

    [Fact]
    public async Task A_stored_request_runs_although_its_query_would_be_refused_today()
    {
        var store = _app.Services.GetRequiredService<IJobStore>();
        var job = new NewJob
        {
            Kind = "thumbnails",
            MaxAttempts = 1,
            Payload = new JobPayload(Photo, "POST", "/v1/thumbnails", "?width=8&quality=80&wdith=3", "image/jpeg"),
        };
        Guid id = (await store.AcceptAsync(job, ServiceApp.Token)).Job.Id;
        // A later job wakes the dispatcher.
        using HttpResponseMessage wake = await PostAsync(Thumbnails, null, ("Prefer", "respond-async"));
        using HttpResponseMessage result = await ResultAsync(new Uri($"/v1/jobs/{id}", UriKind.Relative));
        Assert.Equal("image/webp", result.Content.Headers.ContentType?.MediaType);
    }

    private async Task<HttpResponseMessage> ResultAsync(Uri job)
    {
        using var wait = new HttpRequestMessage(HttpMethod.Get, job) { Headers = { { "Prefer", "wait=90" } } };
        using HttpResponseMessage ended = await _client.SendAsync(wait, ServiceApp.Token);
        JsonNode view = JsonNode.Parse(await ended.Content.ReadAsStringAsync(ServiceApp.Token))!;
        Assert.Equal("succeeded", (string?)view["state"]);
        return await _client.GetAsync($"{job}/result", ServiceApp.Token);
    }

    private async Task<HttpResponseMessage> PostAsync(string url, string? accept, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(Photo) };
        if (accept is not null) request.Headers.TryAddWithoutValidation("Accept", accept);
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        return await _client.SendAsync(request, ServiceApp.Token);
    }
}
