using PoolApi.Problems;

namespace PoolApi.Requests;

/// <summary>What is wrong with one request.</summary>
internal sealed class RequestFaults(HttpContext context) : FieldFaults
{
    /// <summary>The answer if anything is wrong. Asked last.</summary>
    public IResult? Refusal => ByField is { } faults ? Problem.InvalidRequest(context, faults) : null;
}
