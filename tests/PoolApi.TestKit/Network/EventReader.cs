using System.Net.ServerSentEvents;
using System.Text.Json;

namespace PoolApi.TestKit.Network;

/// <summary>Reads an event stream event by event.</summary>
public sealed class EventReader : IAsyncDisposable
{
    private readonly HttpResponseMessage _answer;
    private readonly IAsyncEnumerator<SseItem<string>> _events;

    private EventReader(HttpResponseMessage answer, Stream stream)
    {
        _answer = answer;
        _events = SseParser.Create(stream).EnumerateAsync(Patience.Token).GetAsyncEnumerator(Patience.Token);
    }

    public static async Task<EventReader> OpenAsync(HttpClient client, string path, string? lastEventId = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        return await OpenAsync(await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Patience.Token));
    }

    /// <param name="answer">The response. Its headers have been read, its body has not.</param>
    public static async Task<EventReader> OpenAsync(HttpResponseMessage answer)
    {
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        return new EventReader(answer, await answer.Content.ReadAsStreamAsync(Patience.Token));
    }

    /// <summary>The next event; null at the end.</summary>
    public async Task<(string Type, string? Id, JsonElement Data)?> NextAsync()
    {
        if (!await _events.MoveNextAsync()) return null;
        SseItem<string> item = _events.Current;
        return (item.EventType, item.EventId, JsonDocument.Parse(item.Data).RootElement.Clone());
    }

    /// <summary>The next event of a type whose data the filter accepts.</summary>
    public async Task<(string? Id, JsonElement Data)> NextAsync(string type, Func<JsonElement, bool>? wanted = null)
    {
        while (await NextAsync() is { } item)
        {
            if (item.Type == type && (wanted is null || wanted(item.Data))) return (item.Id, item.Data);
        }
        throw new InvalidOperationException($"The stream ended without '{type}'.");
    }

    public async ValueTask DisposeAsync()
    {
        _answer.Dispose();
        try
        {
            await _events.DisposeAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or NotSupportedException)
        {
            // The test may close the stream in the middle of an event.
        }
    }
}
