using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Thrown when a handler reads a buffered body that is larger than a limit that was set after the buffering. The framework's binding responds with 413.</summary>
/// <param name="limit">The limit in bytes.</param>
#pragma warning disable CA1032, CA1064 // thrown in one place, and never to be caught by its own type outside of this library
internal sealed class BodyLimitException(long limit) : BadHttpRequestException(
    string.Create(CultureInfo.InvariantCulture, $"Request body too large. The max request body size is {limit} bytes."), StatusCodes.Status413PayloadTooLarge)
#pragma warning restore CA1032, CA1064
{
    public long Limit => limit;
}
