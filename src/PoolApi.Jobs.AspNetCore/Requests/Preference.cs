using System.Globalization;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>The preferences of a client (RFC 7240) that jobs know.</summary>
/// <param name="RespondAsync">The client prefers a 202 to waiting.</param>
/// <param name="Wait">How long the client waits nevertheless: whole seconds, 0 to 300.</param>
internal readonly record struct Preference(bool RespondAsync, TimeSpan? Wait)
{
    /// <summary>Reports to the client which of its preferences were applied.</summary>
    /// <param name="response">The response, before it starts.</param>
    public void SetApplied(HttpResponse response)
    {
        string? wait = Wait is { } time ? string.Create(CultureInfo.InvariantCulture, $"wait={(long)time.TotalSeconds}") : null;
        string? applied = (RespondAsync, wait) switch
        {
            (true, null) => PreferHeader.RespondAsync,
            (true, _) => $"{PreferHeader.RespondAsync}, {wait}",
            _ => wait,
        };
        if (applied is not null) response.Headers["Preference-Applied"] = applied;
    }
}
