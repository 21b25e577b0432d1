//! Parameters and values in Postgres' binary format (the manual's chapter on the frontend/backend protocol).

use std::error::Error;

use bytes::{BufMut, BytesMut};
use mainstay_contract::ts::Ts;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::db::{Param, value::Value};

/// Microseconds from 1970 to 2000, where Postgres begins to count.
pub(in crate::db) const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
const UUID_OID: i32 = 2950;

type AnyError = Box<dyn Error + Sync + Send>;

impl ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        match self {
            Param::Null => return Ok(IsNull::Yes),
            Param::Bool(value) => return value.to_sql(ty, out),
            Param::I64(value) => whole(*value, ty, out)?,
            Param::F64(value) => return value.to_sql(ty, out),
            Param::Text(value) => return value.to_sql(ty, out),
            Param::Bytes(value) => out.put_slice(value),
            Param::Id(value) => out.put_slice(value),
            Param::Ts(value) => out.put_i64(value.as_micros() - POSTGRES_EPOCH),
            Param::Json(value) => {
                if *ty == Type::JSONB {
                    out.put_u8(1);
                }
                out.put_slice(value.as_bytes());
            }
            Param::Ids(values) => ids(values, out)?,
            Param::Texts(values) => return (&**values).to_sql(ty, out),
            Param::List(values) => list(values, ty, out)?,
        }
        Ok(IsNull::No)
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn whole(value: i64, ty: &Type, out: &mut BytesMut) -> Result<(), AnyError> {
    match *ty {
        Type::INT2 => out.put_i16(value.try_into()?),
        Type::INT4 => out.put_i32(value.try_into()?),
        Type::FLOAT8 => out.put_f64(value as f64),
        Type::BOOL => out.put_u8(u8::from(value != 0)),
        _ => out.put_i64(value),
    }
    Ok(())
}

/// One dimension, no nulls, element type, length, lower bound 1, then each element with its length.
fn ids(values: &[[u8; 16]], out: &mut BytesMut) -> Result<(), AnyError> {
    out.put_i32(1);
    out.put_i32(0);
    out.put_i32(UUID_OID);
    out.put_i32(i32::try_from(values.len())?);
    out.put_i32(1);
    for value in values {
        out.put_i32(16);
        out.put_slice(value);
    }
    Ok(())
}

/// One dimension, perhaps with nulls: as [`ids`], with the length -1 for a null.
fn list(values: &[Param<'_>], ty: &Type, out: &mut BytesMut) -> Result<(), AnyError> {
    let Kind::Array(of) = ty.kind() else {
        return Err(format!("a list was given where the statement takes {ty}").into());
    };
    let nulls = values.iter().any(|value| matches!(value, Param::Null));
    out.put_i32(1);
    out.put_i32(i32::from(nulls));
    out.put_i32(of.oid().cast_signed());
    out.put_i32(i32::try_from(values.len())?);
    out.put_i32(1);
    for value in values {
        let length_at = out.len();
        out.put_i32(-1);
        if let IsNull::No = value.to_sql(of, out)? {
            let length = i32::try_from(out.len() - length_at - 4)?;
            if let Some(place) = out.get_mut(length_at..length_at + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
    }
    Ok(())
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        Ok(match *ty {
            Type::BOOL => Self::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Self::I64(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Self::I64(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Self::I64(i64::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::F64(f32::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Self::F64(f64::from_sql(ty, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            Type::UUID => Self::Id(u128::from_be_bytes(raw.try_into()?)),
            Type::TIMESTAMPTZ => {
                Self::Ts(Ts::from_micros(i64::from_be_bytes(raw.try_into()?) + POSTGRES_EPOCH))
            }
            Type::JSONB => {
                Self::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?.to_owned())
            }
            _ => Self::Text(std::str::from_utf8(raw)?.to_owned()),
        })
    }

    fn from_sql_null(_ty: &Type) -> Result<Self, AnyError> {
        Ok(Self::Null)
    }

    fn accepts(_ty: &Type) -> bool {
        true
    }
}
