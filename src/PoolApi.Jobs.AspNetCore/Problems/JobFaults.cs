namespace PoolApi.Jobs.AspNetCore.Problems;

/// <summary>What is wrong with a request for a job, or about jobs.</summary>
internal sealed class JobFaults(HttpContext context) : FieldFaults
{
    /// <summary>The answer if anything is wrong. Read last.</summary>
    public IResult? Refusal => ByField is { } faults ? JobProblem.InvalidRequest(context, faults) : null;
}
