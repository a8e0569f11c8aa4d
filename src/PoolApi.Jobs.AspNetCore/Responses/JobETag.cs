using System.Globalization;
using Microsoft.Net.Http.Headers;

namespace PoolApi.Jobs.AspNetCore.Responses;

/// <summary>The version of a job as an entity tag, strong: the same version is the same JSON, byte for byte.</summary>
internal static class JobETag
{
    /// <summary>The header by which a client names the versions that it has. The framework reads it.</summary>
    public static RequestParameter Parameter { get; } = RequestParameter.Header(
        HeaderNames.IfNoneMatch, "The ETag of the version that the client has.", "\"7\"");

    public static string Of(Job job) => string.Create(CultureInfo.InvariantCulture, $"\"{job.Version}\"");

    /// <summary>The versions that the client has already (<c>If-None-Match</c>); empty if it names none.</summary>
    public static IList<EntityTagHeaderValue> Known(HttpRequest request) => request.GetTypedHeaders().IfNoneMatch;

    /// <summary>Whether the client has this version.</summary>
    public static bool Matches(this IList<EntityTagHeaderValue> known, Job job)
    {
        if (known.Count == 0) return false;
        var tag = new EntityTagHeaderValue(Of(job));
        // For If-None-Match a weak tag is as good as a strong one.
        return known.Any(each => each.Equals(EntityTagHeaderValue.Any) || each.Compare(tag, useStrongComparison: false));
    }
}
