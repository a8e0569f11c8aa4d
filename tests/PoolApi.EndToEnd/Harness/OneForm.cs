namespace PoolApi.EndToEnd.Harness;

/// <summary>Runs a theory against <see cref="AnyServiceForm"/>, and in the long run against both forms: for what the two share, since the other
/// projects of tests run the same code compiled just in time.</summary>
public sealed class OneForm : TheoryData<ServiceForm>
{
    /// <summary>Lists the form.</summary>
    public OneForm()
    {
        if (LongTests.Wanted) AddRange(ServiceForm.FrameworkDependent, ServiceForm.NativeAot);
        else Add(ServiceForm.Any);
    }
}
