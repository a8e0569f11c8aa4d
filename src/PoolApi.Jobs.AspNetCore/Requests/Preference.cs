using System.Globalization;

namespace PoolApi.Jobs.AspNetCore.Requests;

/// <summary>What a client prefers (RFC 7240), of that which is known here.</summary>
/// <param name="RespondAsync">It rather has a 202 than waits.</param>
/// <param name="Wait">How long it waits all the same: whole seconds, 0 to 300.</param>
internal readonly record struct Preference(bool RespondAsync, TimeSpan? Wait)
{
    /// <summary>Tells the client which of its preferences were heeded.</summary>
    /// <param name="response">The answer, not yet begun.</param>
    public void TellApplied(HttpResponse response)
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
